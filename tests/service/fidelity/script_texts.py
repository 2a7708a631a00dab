"""Scripts, directions, invisible characters and capitals."""

from tests.service.fidelity.nasty_text import NastyText, table
from tests.service.fidelity.properties import (
    CAPITALS,
    TITLE_CASE,
    copied,
    mentions,
    verbatim,
)

SCRIPTS = table(
    "scripts",
    [
        ("japanese_word", "I like 寿司 very much.", copied("寿司")),
        ("chinese_sentences", "我喜欢你。你好吗？", copied("。")),
        ("russian_name", "My friend Наташа lives in Berlin.", copied("Наташа")),
        ("greek_letter", "The angle α is larger than β.", copied("α", "β")),
        ("arabic_word", "The word سلام means peace.", copied("سلام")),
        ("hebrew_with_marks", "The word \u200fשלום\u200f means peace.", copied("שלום")),
        ("thai_word", "The word สวัสดี means hello.", copied("สวัสดี")),
        ("hindi_word", "The word नमस्ते means hello.", copied("नमस्ते")),
        ("korean_word", "The word 안녕하세요 means hello.", copied("안녕하세요")),
        ("polish_name", "My friend Łukasz Żółć lives in Berlin.", copied("Łukasz Żółć")),
        ("gothic_beyond_bmp", "The letter 𐌰 is Gothic.", copied("𐌰")),
        ("full_width", "The word ＨＥＬＬＯ is wide.", copied("ＨＥＬＬＯ")),
        ("mathematical_letters", "The word 𝓱𝓮𝓵𝓵𝓸 is nice.", copied("𝓱𝓮𝓵𝓵𝓸")),
        ("whole_sentence_arabic", "السلام عليكم. كيف حالك؟"),
        ("whole_sentence_japanese", "私は寿司が好きです。とてもおいしいです。"),
        ("embedded_direction", "The file \u202eabc\u202c is here.", copied("\u202e", "\u202c")),
        ("music", "The sign 𝄞 is a clef.", copied("𝄞")),
        ("phonetic", "The word is spoken /haʊs/.", copied("/haʊs/")),
    ],
)

INVISIBLE = table(
    "invisible",
    [
        ("zero_width_space", "The hou\u200bse is small, Anna.", mentions("Anna")),
        ("zero_width_joiner", "The house\u200d is small, Anna.", mentions("Anna")),
        ("soft_hyphen", "The gar\u00adden is large, Anna.", mentions("Anna")),
        ("byte_order_mark_first", "\ufeffThe house is small, Anna.", mentions("Anna")),
        ("byte_order_mark_inside", "The house\ufeff is small, Anna.", mentions("Anna")),
        ("no_break_space", "The house\u00a0is small, Anna.", mentions("Anna")),
        ("narrow_space", "The house\u202fis small, Anna.", mentions("Anna")),
        ("decomposed_accent", "The cafe\u0301 is in Berlin.", mentions("Berlin")),
        ("ligature", "The of\ufb01ce is in Berlin.", mentions("Berlin")),
        ("variation_selector", "The house\ufe0e is small, Anna.", mentions("Anna")),
        ("stacked_marks", "The h\u0300\u0301\u0302\u0303ouse is small, Anna.", mentions("Anna")),
        ("control_character", "The house\x07 is small, Anna.", mentions("Anna")),
        ("escape_sequence", "The \x1b[1mhouse\x1b[0m is small, Anna.", mentions("Anna")),
        ("delete_character", "The house\x7f is small, Anna.", mentions("Anna")),
        ("private_use", "The sign \ue000 is private, Anna.", copied("\ue000")),
        ("non_character", "The house\uffff is small, Anna.", mentions("Anna")),
        ("bidi_isolate", "The \u2068house\u2069 is small, Anna.", mentions("Anna")),
    ],
)

UNREADABLE = table(
    "unreadable",
    [
        ("nul", "The house\0is small."),
        ("lone_high_surrogate", "The house\ud83d is small."),
        ("lone_low_surrogate", "The house\ude00 is small."),
        ("swapped_surrogates", "The house\ude00\ud83d is small."),
    ],
    may_refuse=True,
)

CASES = table(
    "cases",
    [
        ("capitals", "THE HOUSE IS VERY SMALL.", CAPITALS),
        ("shouted_question", "WHERE IS THE NEAREST TRAIN STATION?", CAPITALS),
        ("capitals_with_placeholder", "WELCOME BACK, {name}!", verbatim("{name}")),
        ("capitals_with_address", "WRITE TO anna@example.org TODAY.", verbatim("anna@example.org")),
        ("heading_in_capitals", "WARNING\n\nDo not open the door."),
        ("one_word_in_capitals", "STOP!", CAPITALS),
        ("one_shouted_word", "Do NOT open the door, Anna.", mentions("Anna")),
        ("acronyms", "The EU and NASA are working together.", copied("EU"), copied("NASA")),
        ("title", "The Small House Next To The Old School", TITLE_CASE),
        ("title_with_number", "Ten Good Reasons To Visit Berlin In 2024", TITLE_CASE),
        ("lower_case", "the house is small. anna lives in berlin.", mentions("anna", "berlin")),
        ("alternating", "ThE hOuSe Is VeRy SmAlL."),
        ("brand", "The iPhone and eBay are well known.", copied("iPhone"), copied("eBay")),
    ],
)

SCRIPT_TEXTS: tuple[NastyText, ...] = (*SCRIPTS, *INVISIBLE, *UNREADABLE, *CASES)
