"""Language tags of BCP 47: which of the served languages a request means. Knows no model.

Clients write one language in many ways: `pt_BR`, `PT-BR`, `por`, LibreTranslate's `pb`. A tag is
reduced to language, script, region and variants; served tags are ranked by what they share with it.
Languages are never exchanged for related ones, nor a named script for another.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

Direction = tuple[str, str]
"""Source and target language."""
Closeness = tuple[int, ...]
"""Lower is closer; compared item by item."""


def _pairs(table: str) -> dict[str, str]:
    return dict(entry.split(":") for entry in table.split())


_TWO_LETTERS = _pairs(
    "aar:aa abk:ab afr:af aka:ak alb:sq amh:am ara:ar arg:an arm:hy asm:as ava:av ave:ae "
    "aym:ay aze:az bak:ba bam:bm baq:eu bel:be ben:bn bis:bi bod:bo bos:bs bre:br bul:bg "
    "bur:my cat:ca ces:cs cha:ch che:ce chi:zh chu:cu chv:cv cor:kw cos:co cre:cr cym:cy "
    "cze:cs dan:da deu:de div:dv dut:nl dzo:dz ell:el eng:en epo:eo est:et eus:eu ewe:ee "
    "fao:fo fas:fa fij:fj fin:fi fra:fr fre:fr fry:fy ful:ff geo:ka ger:de gla:gd gle:ga "
    "glg:gl glv:gv gre:el grn:gn guj:gu hat:ht hau:ha heb:he her:hz hin:hi hmo:ho hrv:hr "
    "hun:hu hye:hy ibo:ig ice:is ido:io iii:ii iku:iu ile:ie ina:ia ind:id ipk:ik isl:is "
    "ita:it jav:jv jpn:ja kal:kl kan:kn kas:ks kat:ka kau:kr kaz:kk khm:km kik:ki kin:rw "
    "kir:ky kom:kv kon:kg kor:ko kua:kj kur:ku lao:lo lat:la lav:lv lim:li lin:ln lit:lt "
    "ltz:lb lub:lu lug:lg mac:mk mah:mh mal:ml mao:mi mar:mr may:ms mkd:mk mlg:mg mlt:mt "
    "mon:mn mri:mi msa:ms mya:my nau:na nav:nv nbl:nr nde:nd ndo:ng nep:ne nld:nl nno:nn "
    "nob:nb nor:no nya:ny oci:oc oji:oj ori:or orm:om oss:os pan:pa per:fa pli:pi pol:pl "
    "por:pt pus:ps que:qu roh:rm ron:ro rum:ro run:rn rus:ru sag:sg san:sa sin:si slk:sk "
    "slo:sk slv:sl sme:se smo:sm sna:sn snd:sd som:so sot:st spa:es sqi:sq srd:sc srp:sr "
    "ssw:ss sun:su swa:sw swe:sv tah:ty tam:ta tat:tt tel:te tgk:tg tha:th tib:bo tir:ti "
    "ton:to tsn:tn tso:ts tuk:tk tur:tr twi:tw uig:ug ukr:uk urd:ur uzb:uz ven:ve vie:vi "
    "vol:vo wel:cy wln:wa wol:wo xho:xh yid:yi yor:yo zha:za zho:zh zul:zu"
)
"""ISO 639-2 (both codes where there are two) and 639-3, by ISO 639-1."""
_MEMBERS = _pairs(
    "als:sq arb:ar ayr:ay azj:az cmn:zh cwd:cr ekk:et esk:ik fat:ak fuc:ff gaz:om gug:gn "
    "ike:iu khk:mn kmr:ku knc:kr kng:kg kpv:kv lvs:lv npi:ne ojg:oj ory:or pbu:ps pes:fa "
    "plt:mg quz:qu src:sc swh:sw uzn:uz ydd:yi zsm:ms zyb:za"
)
"""The language that is meant where a macrolanguage is named, by CLDR: Mandarin is `zh`, Cantonese
is not."""
_ALIASES = {
    **_TWO_LETTERS,
    **_MEMBERS,
    **_pairs("nb:no tw:ak in:id iw:he ji:yi jw:jv mo:ro mol:ro tl:fil tgl:fil scc:sr scr:hr"),
}
"""Languages by codes that are deprecated, longer than needed, or of their main member."""
_WHOLE_TAGS = {
    "pb": "pt-br",
    "sh": "sr-latn",
    "zt": "zh-hant",
    "zh-chs": "zh-hans",
    "zh-cht": "zh-hant",
}
"""Tags of clients that name more than a language."""
_USUAL_SCRIPTS = _pairs("az:latn kk:cyrl ku:latn mn:cyrl pa:guru sr:cyrl tg:cyrl uz:latn zh:hans")
"""Usual scripts of languages that are written in several."""
_SCRIPTS_BY_REGION = {
    "az": {"ir": "arab"},
    "kk": {"af": "arab", "cn": "arab", "ir": "arab"},
    "mn": {"cn": "mong"},
    "pa": {"pk": "arab"},
    "sr": {"me": "latn"},
    "uz": {"af": "arab", "cn": "cyrl"},
    "zh": {"cn": "hans", "sg": "hans", "my": "hans", "tw": "hant", "hk": "hant", "mo": "hant"},
}
_USUAL_REGIONS = {"en": "us", "es": "es", "fr": "fr", "pt": "br", "zh-hans": "cn", "zh-hant": "tw"}
_PREFIXES = frozenset({"ar", "kok", "lv", "ms", "sw", "uz", "zh"})
"""Macrolanguages that may stand before one of their languages, as in `zh-yue`."""
_OTHER_REGIONS = {"en": "gb", "es": "419", "pt": "pt"}
"""What all regions but the usual one are nearer to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """A tag, reduced to what is compared; all in lower case."""

    language: str
    script: str | None = None
    """Named by the tag, or by its region; None: any."""
    region: str | None = None
    variants: tuple[str, ...] = ()
    """Everything else, extensions included."""

    @property
    def usual_script(self) -> str | None:
        """The script, or else the usual one of the language."""
        return self.script or _USUAL_SCRIPTS.get(self.language)

    @property
    def usual_region(self) -> str | None:
        """The region that is meant where none is named."""
        by_script = f"{self.language}-{self.usual_script}"
        return _USUAL_REGIONS.get(self.language) or _USUAL_REGIONS.get(by_script)

    @property
    def nearest_region(self) -> str | None:
        """The region whose usage is nearest."""
        if self.region in (None, self.usual_region):
            return self.usual_region
        return _OTHER_REGIONS.get(self.language)


@lru_cache(maxsize=4096)
def parse_language(tag: str) -> Language:
    """Reduces a tag, however it is spelt; never fails: what is no tag equals no language."""
    lower = tag.strip().lower().replace("_", "-")
    first, *rest = _WHOLE_TAGS.get(lower, lower).split("-")
    while _canonical(first) in _PREFIXES and rest and len(rest[0]) == 3 and rest[0].isalpha():
        first = rest.pop(0)
    language, *implied = _WHOLE_TAGS.get(_canonical(first), _canonical(first)).split("-")
    script = rest.pop(0) if rest and len(rest[0]) == 4 and rest[0].isalpha() else None
    region = rest.pop(0) if rest and _is_region(rest[0]) else None
    by_region = _SCRIPTS_BY_REGION.get(language, {}).get(region or "")
    return Language(
        language=language,
        script=script or by_region or next((x for x in implied if len(x) == 4), None),
        region=region or next((x for x in implied if len(x) == 2), None),
        variants=tuple(rest),
    )


def closeness(wanted: str, offered: str) -> Closeness | None:
    """How well a served tag fits a wanted one; None: it is another language, or another script."""
    if wanted.lower() == offered.lower():
        return (0,)
    ours, theirs = parse_language(wanted), parse_language(offered)
    if ours.language != theirs.language:
        return None
    if ours.script and theirs.script and ours.script != theirs.script:
        return None
    return (
        1,
        int(ours.usual_script != theirs.usual_script),
        _distance_of_regions(ours, theirs),
        0 if ours.variants == theirs.variants else 1 + bool(theirs.variants),
    )


def best_match(wanted: str, offered: Iterable[str]) -> str | None:
    """The served tag that fits best, of equals the first; None: the language is not served.

    >>> best_match("zh_TW", ["zh-hans", "zh-hant"])
    'zh-hant'
    >>> best_match("ger", ["en", "de"])
    'de'
    """
    found = [(fit, tag) for tag in offered if (fit := closeness(wanted, tag)) is not None]
    return min(found, key=lambda each: each[0])[1] if found else None


def best_direction(source: str, target: str, offered: Iterable[Direction]) -> Direction | None:
    """The served direction that fits best, its target before its source; None: there is none."""
    found = [
        ((of_target, of_source), direction)
        for direction in offered
        if (of_target := closeness(target, direction[1])) is not None
        and (of_source := closeness(source, direction[0])) is not None
    ]
    return min(found, key=lambda each: each[0])[1] if found else None


def _canonical(language: str) -> str:
    while (other := _ALIASES.get(language)) is not None:
        language = other
    return language


def _is_region(subtag: str) -> bool:
    return (len(subtag) == 2 and subtag.isalpha()) or (len(subtag) == 3 and subtag.isdigit())


def _distance_of_regions(wanted: Language, offered: Language) -> int:
    if wanted.region == offered.region:
        return 0
    if offered.region is None:
        return 1
    return 2 if offered.region == wanted.nearest_region else 3
