"""Layout: white space, lists, sentence boundaries."""

from tests.service.fidelity.nasty_text import NastyText, table
from tests.service.fidelity.properties import (
    LINE_STARTS,
    UNCHANGED,
    copied,
    inner_space,
    mentions,
    verbatim,
)

WHITE_SPACE = table(
    "white_space",
    [
        ("leading_space", "   The house is small."),
        ("trailing_space", "The house is small.   "),
        ("leading_newline", "\nThe house is small."),
        ("trailing_newlines", "The house is small.\n\n"),
        ("tabs_around", "\tThe house is small.\t"),
        ("two_lines", "The house is small.\nThe garden is large."),
        ("blank_line", "The house is small.\n\nThe garden is large."),
        ("four_blank_lines", "The house is small.\n\n\n\n\nThe garden is large."),
        ("crlf", "The house is small.\r\nThe garden is large.\r\n"),
        ("crlf_blank_line", "The house is small.\r\n\r\nThe garden is large."),
        ("old_mac_breaks", "The house is small.\rThe garden is large."),
        ("mixed_breaks", "The house is small.\r\nThe garden is large.\nThe dog is old."),
        ("line_separator", "The house is small.\u2028The garden is large."),
        ("paragraph_separator", "The house is small.\u2029The garden is large."),
        ("form_feed", "The house is small.\fThe garden is large."),
        ("vertical_tab", "The house is small.\vThe garden is large."),
        (
            "blank_line_of_spaces",
            "The house is small.\n   \nThe garden is large.",
            inner_space("   "),
        ),
        ("two_spaces_between", "The house is small.  The garden is large.", inner_space("  ")),
        ("two_spaces_within", "The house  is small.", copied("  ")),
        ("tab_between_sentences", "The house is small.\tThe garden is large.", inner_space("\t")),
        ("space_at_line_ends", "The house is small. \nThe garden is large. \n", inner_space(" \n")),
        ("no_break_space_around", "\u00a0The house is small.\u00a0"),
        ("wide_space_before", "\u3000The house is small."),
        ("indented_block", "The list:\n    The house\n    The garden", LINE_STARTS),
        ("tabbed_block", "The list:\n\tThe house\n\t\tThe garden", LINE_STARTS),
        (
            "poem",
            "The sun is red,\n  the sky is blue,\n    the day is done,\n  and so are you.",
            LINE_STARTS,
        ),
        (
            "letter",
            "Dear Anna,\n\nThank you for the book.\n\nKind regards,\nPeter",
            mentions("Anna", "Peter"),
        ),
        (
            "hard_wrapped",
            "Anna went to the station because\nshe wanted to meet Peter, who\ncame from Berlin.",
            mentions("Anna", "Peter", "Berlin"),
        ),
        ("no_final_stop", "The house is small\nThe garden is large"),
    ],
)

LISTS = table(
    "lists",
    [
        ("hyphens", "- The house\n- The garden\n- The dog", LINE_STARTS),
        ("asterisks", "* The house\n* The garden", LINE_STARTS),
        ("dots", "• The house\n• The garden", LINE_STARTS),
        ("plus", "+ The house\n+ The garden", LINE_STARTS),
        ("numbers", "1. Open the door.\n2. Close the window.\n3. Wait.", LINE_STARTS),
        ("number_brackets", "1) Open the door.\n2) Close the window.", LINE_STARTS),
        ("letters", "a) The house\nb) The garden", LINE_STARTS),
        ("beyond_nine", "9. Open the door.\n10. Close the window.\n11. Wait.", LINE_STARTS),
        ("nested", "- The house\n  - The kitchen\n    - The table\n- The garden", LINE_STARTS),
        ("check_boxes", "- [ ] Buy milk\n- [x] Call the doctor", LINE_STARTS),
        ("box_characters", "☐ Buy milk\n☑ Call the doctor", LINE_STARTS),
        ("headings", "# The house\n\n## The garden\n\nThe garden is large.", LINE_STARTS),
        ("quoted_mail", "> The house is small.\n> The garden is large.\n\nI agree.", LINE_STARTS),
        ("quoted_twice", ">> Where is Anna?\n> She is in Berlin.", LINE_STARTS, mentions("Berlin")),
        ("lone_bullet", "- The house is small.", LINE_STARTS),
        ("empty_item", "- The house\n-\n- The garden", LINE_STARTS),
        ("tab_after_bullet", "-\tThe house\n-\tThe garden", LINE_STARTS, inner_space("\t")),
        ("dialogue", "– Where are you?\n– In the garden.", LINE_STARTS),
        ("columns", "Name:\tAnna\nCity:\tBerlin", inner_space("\t"), mentions("Anna", "Berlin")),
        ("table_row", "| House | Garden |\n|-------|--------|\n| small | large |", copied("|")),
        ("ruled_off", "The house is small.\n---\nThe garden is large.", verbatim("\n---\n")),
        ("underlined", "The house\n=========\nThe house is small.", verbatim("=========")),
    ],
)

SENTENCES = table(
    "sentences",
    [
        (
            "many",
            "Anna is in Berlin. Peter is in Hamburg. Maria is in Paris. Thomas is in London.",
            mentions("Anna", "Peter", "Maria", "Thomas", "Berlin", "Hamburg", "Paris", "London"),
        ),
        (
            "abbreviations",
            "Dr. Brown met Mr. Smith at 5 p.m. in Berlin.",
            mentions("Smith", "Berlin"),
        ),
        ("initials", "J. R. R. Tolkien wrote books. Anna reads them.", mentions("Tolkien", "Anna")),
        ("ellipsis", "Well... I do not know. Ask Peter.", mentions("Peter")),
        ("ellipsis_character", "Well… I do not know. Ask Peter.", mentions("Peter")),
        ("question_exclamation", "Really?! Is Anna here? Yes!", mentions("Anna")),
        ("quotation", '"Where is Anna?" he asked. "In Berlin."', mentions("Anna", "Berlin")),
        ("curly_quotation", "“Where is Anna?” he asked. “In Berlin.”", mentions("Anna", "Berlin")),
        (
            "brackets",
            "The house (see the picture) is small. Anna (my sister) lives there.",
            mentions("Anna"),
        ),
        ("short_ones", "Yes. No. Perhaps. Ask Peter.", mentions("Peter")),
        ("no_space_after_stop", "Anna is here.Peter is not.", mentions("Anna", "Peter")),
        (
            "colon_semicolon",
            "There is one problem: Anna is ill; Peter is away.",
            mentions("Anna", "Peter"),
        ),
        (
            "one_long_sentence",
            ", ".join(f"the {each} is red" for each in ["house", "car", "door", "table"] * 20)
            + ", and Anna lives in Berlin.",
            mentions("Anna", "Berlin"),
        ),
        (
            "same_sentence_often",
            "The house is small. " * 20 + "Anna lives in Berlin.",
            mentions("Anna", "Berlin"),
        ),
        (
            "long_paragraph",
            " ".join(
                f"In the year {year} the town had {year * 7} inhabitants and a new school."
                for year in range(1950, 1980)
            ),
            copied(*(str(year) for year in range(1950, 1980))),
        ),
        (
            "words_without_stops",
            "the house the garden the dog the cat " * 40 + "and then Anna came home to Berlin",
            mentions("Anna"),
        ),
        ("stops_only_between", "House. Garden. Dog. Cat. Anna.", mentions("Anna")),
        ("one_word", "House"),
        ("one_letter", "A"),
        ("dashes", "Anna — my sister — lives in Berlin – or Hamburg.", mentions("Anna", "Hamburg")),
    ],
)

NOTHING_TO_TRANSLATE = table(
    "nothing_to_translate",
    [
        ("space", " ", UNCHANGED),
        ("white_space", " \t\r\n \u00a0\n", UNCHANGED),
        ("zero_width_space", "\u200b", UNCHANGED),
        ("byte_order_mark", "\ufeff", UNCHANGED),
        ("emoji", "😀", UNCHANGED),
        ("emoji_row", "😀😀 🎉\n❤️", UNCHANGED),
        ("family", "👨‍👩‍👧‍👦", UNCHANGED),
        ("flag", "🇩🇪🇫🇷", UNCHANGED),
        ("keycap", "1️⃣ 2️⃣", UNCHANGED),
        ("digits", "42", UNCHANGED),
        ("numbers", "1,234.56 / 7 890", UNCHANGED),
        ("phone_number", "+49 (0)30 123456-78", UNCHANGED),
        ("date", "2024-02-29 23:59:59", UNCHANGED),
        ("amount", "€ 12.50", UNCHANGED),
        ("formula", "1 + 1 = 2", UNCHANGED),
        ("punctuation", "...?!", UNCHANGED),
        ("rule", "----------", UNCHANGED),
        ("stars", "* * *", UNCHANGED),
        ("arrows", "→ ← ⇒", UNCHANGED),
        ("web_address", "https://example.org/a/b?c=d&e=f#g", UNCHANGED),
        ("mail_address", "anna.smith@example.org", UNCHANGED),
        ("path", "/usr/local/bin/python3", UNCHANGED),
        ("windows_path", r"C:\Users\Anna\app.exe", UNCHANGED),
        ("lines_of_numbers", "1\n22\n\n333\n", UNCHANGED),
        ("placeholder", "{name}", UNCHANGED),
        ("placeholders", "%s: %d", UNCHANGED),
    ],
)

LAYOUT_TEXTS: tuple[NastyText, ...] = (*WHITE_SPACE, *LISTS, *SENTENCES, *NOTHING_TO_TRANSLATE)
