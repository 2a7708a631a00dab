{{/* Labels by which the pods of this release are found. */}}
{{- define "pellucid.selector" -}}
app.kubernetes.io/name: pellucid
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* Labels of every object. */}}
{{- define "pellucid.labels" -}}
{{ include "pellucid.selector" . }}
app.kubernetes.io/part-of: pellucid
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{/* A value as text: Helm reads whole numbers as floating ones, and would write 1e+06. */}}
{{- define "pellucid.text" -}}
{{- if and (kindIs "float64" .) (eq . (floor .)) -}}
{{ int64 . }}
{{- else -}}
{{ . }}
{{- end -}}
{{- end }}

{{/* The image, by digest or by tag. */}}
{{- define "pellucid.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}
