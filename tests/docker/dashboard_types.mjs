// Writes the dashboard as TypeScript, so that a compiler checks it against Grafana's own types:
//   node dashboard_types.mjs DASHBOARD.json > dashboard.ts
import { readFileSync } from "node:fs";

const OPTIONS = {
  stat: ["stat/panelcfg/x/StatPanelCfg_types.gen", "unknown"],
  table: ["table/panelcfg/x/TablePanelCfg_types.gen", "TableFieldOptions"],
  timeseries: ["timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen", "GraphFieldConfig"],
};

const dashboard = JSON.parse(readFileSync(process.argv[2], "utf8"));
const lines = [
  'import type { Dashboard, GraphFieldConfig, Panel, TableFieldOptions } from "@grafana/schema";',
  ...Object.entries(OPTIONS).map(
    ([type, [file]]) =>
      `import type { Options as ${type} } from "@grafana/schema/dist/esm/raw/composable/${file}";`,
  ),
  // JSON has the strings that Grafana's enumerations stand for.
  "type Plain<T> = T extends string ? `${T}` : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;",
  `export const dashboard: Plain<Dashboard> = ${JSON.stringify(dashboard, null, 2)};`,
];
for (const panel of dashboard.panels.filter((panel) => panel.type !== "row")) {
  const [, field] = OPTIONS[panel.type];
  const name = `panel_${panel.id}`;
  lines.push(
    `export const ${name}_options: Plain<${panel.type}> = ${JSON.stringify(panel.options)};`,
    `export const ${name}_custom: Partial<Plain<${field}>> | undefined = ${JSON.stringify(panel.fieldConfig.defaults.custom)};`,
  );
}
console.log(lines.join("\n"));
