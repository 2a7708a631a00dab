"""HTML, whole, in fragments and broken: markup is returned unchanged."""

from tests.service.fidelity.nasty_text import NastyText, table
from tests.service.fidelity.properties import BLOCKS, UNCHANGED, copied, mentions, verbatim

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <title>The small house</title>
  <style>p { color: red; }</style>
  <script>if (a < b && c) { document.write("<b>house</b>"); }</script>
</head>
<body class="page">
  <!-- the main part -->
  <h1>The small house</h1>
  <p>Anna lives in a <em>small</em> house in <a href="/berlin?a=1&amp;b=2">Berlin</a>.</p>
  <ul>
    <li>The kitchen</li>
    <li>The <strong>large</strong> garden</li>
  </ul>
  <img src="house.jpg" alt="A house">
</body>
</html>
"""

MARKUP = table(
    "markup",
    [
        ("bold_word", "The house is <b>very</b> small."),
        ("bold_sentence", "<b>The house is small.</b>"),
        ("bold_first_word", "<b>Anna</b> lives in Berlin.", mentions("Anna", "Berlin")),
        ("bold_last_word", "Anna lives in <b>Berlin</b>.", mentions("Anna", "Berlin")),
        ("two_of_a_kind", "The <b>house</b> and the <b>garden</b> are large."),
        ("nested_inline", "The <b>very <i>small</i></b> house is old."),
        ("adjacent", "The <b>small</b><i>house</i> is old."),
        ("within_a_word", "The gar<b>den</b> is large."),
        ("link", 'Read <a href="https://example.org/?a=1&amp;b=2">the page</a> first.',
         verbatim("https://example.org/?a=1&amp;b=2")),
        ("attributes", '<span class="a b" data-x=\'1\' hidden title="a">The house</span> is old.',
         verbatim("data-x='1'")),
        ("line_break", "The house is small.<br>The garden is large."),
        ("line_break_closed", "The house is small.<br/>The garden is large."),
        ("line_break_in_sentence", "The house<br />is small."),
        ("image", 'The <img src="house.png" alt="house"> is small.', verbatim('alt="house"')),
        ("word_break", "The garden<wbr>house is small."),
        ("rule", "<p>The house is small.</p><hr><p>The garden is large.</p>", BLOCKS),
        ("empty_element", 'The house <span class="icon"></span> is small.'),
        ("empty_first", "<i></i>The house is small."),
        ("only_tags", "<p><b></b></p>", UNCHANGED),
        ("only_space_in_tags", "<p> </p>\n<p>\t</p>", UNCHANGED),
        ("paragraphs", "<p>The house is small.</p>\n<p>The garden is large.</p>",
         BLOCKS, verbatim("</p>\n<p>")),
        ("list", "<ul><li>The house</li><li>The garden</li></ul>", BLOCKS),
        ("table", "<table><tr><th>House</th><td>small</td></tr></table>", BLOCKS),
        ("headings", "<h1>The house</h1><h2>The garden</h2><p>The garden is large.</p>", BLOCKS),
        ("definition_list", "<dl><dt>House</dt><dd>A building</dd></dl>", BLOCKS),
        ("indented", "<div>\n  <p>\n    The house is small.\n  </p>\n</div>\n",
         BLOCKS, verbatim("<div>\n  <p>\n    ", "\n  </p>\n</div>\n")),
        ("two_sentences_one_bold", "<b>The house is small. The garden</b> is large."),
        ("bold_across_sentences", "The <b>house is small. The garden is</b> large."),
        ("comment", "The house <!-- not the garden --> is small.",
         verbatim("<!-- not the garden -->")),
        ("comment_with_tag", "<p>The house <!-- <b>old</b> --> is small.</p>",
         verbatim("<!-- <b>old</b> -->")),
        ("script", "<p>The house</p><script>var house = '<b>' + 1 < 2;</script>",
         verbatim("<script>var house = '<b>' + 1 < 2;</script>")),
        ("style", "<style>.house > b { color: red }</style><p>The house is small.</p>",
         verbatim("<style>.house > b { color: red }</style>")),
        ("pre", "<p>The house:</p><pre>the house\n   is small\n</pre>",
         verbatim("<pre>the house\n   is small\n</pre>")),
        ("code", "Run <code>open the door</code> first.", verbatim("<code>open the door</code>")),
        ("textarea", "<textarea>the house\n</textarea><p>The garden</p>",
         verbatim("<textarea>the house\n</textarea>")),
        ("svg", '<p>The house <svg viewBox="0 0 1 1"><path d="M0 0"/></svg> is small.</p>',
         verbatim('<svg viewBox="0 0 1 1"><path d="M0 0"/></svg>')),
        ("not_to_translate", 'The <span translate="no">house</span> is small.',
         verbatim('<span translate="no">house</span>')),
        ("class_notranslate", 'The <b class="notranslate">small house</b> is old.',
         verbatim('<b class="notranslate">small house</b>')),
        ("doctype", "<!DOCTYPE html><p>The house is small.</p>", verbatim("<!DOCTYPE html>")),
        ("cdata", "<p>The house <![CDATA[ a < b ]]> is small.</p>",
         verbatim("<![CDATA[ a < b ]]>")),
        ("instruction", '<?xml version="1.0"?><p>The house is small.</p>',
         verbatim('<?xml version="1.0"?>')),
        ("upper_case_tags", "<P>The <B>house</B> is small.</P>", verbatim("<P>", "<B>", "</B>")),
        ("custom_element", '<x-card name="a">The house</x-card> is small.'),
        ("namespace", '<g:house id="1">The house</g:house> is small.'),
        ("ruby", "<ruby>house<rp>(</rp><rt>haʊs</rt><rp>)</rp></ruby> is a word."),
        ("button", "<button disabled>Open the door</button>"),
        ("whole_page", _PAGE, BLOCKS, mentions("Anna", "Berlin"),
         verbatim("p { color: red; }", "<!-- the main part -->", "\n    <li>", "\n</html>\n")),
        ("placeholder_inside", "Hello <b>{name}</b>, you have %d messages.",
         verbatim("{name}", "%d")),
        ("emoji_inside", "I love <b>my garden</b> 😀.", verbatim("😀")),
        ("capitals_inside", "<h1>THE SMALL HOUSE</h1><p>The house is small.</p>", BLOCKS),
        ("greater_in_attribute", '<a title="a > b" href="#">The house</a> is small.',
         verbatim('title="a > b"')),
        ("every_word", "<b>the</b> <i>house</i> <b>is</b> <i>small</i> <b>and</b> <i>old</i>"),
    ],
    format="html",
)  # fmt: skip

ENTITIES = table(
    "entities",
    [
        ("ampersand", "Anna &amp; Peter live here.", copied("&amp;")),
        ("less_than", "If a &lt; b, then stop.", copied("&lt;")),
        ("escaped_tag", "The tag &lt;b&gt; makes words bold.", verbatim("&lt;b&gt;")),
        ("no_break_space", "The&nbsp;house is small.", copied("&nbsp;")),
        ("numeric", "The house&#160;is small.", copied("&#160;")),
        ("hexadecimal", "The house &#x1F600; is small.", verbatim("&#x1F600;")),
        ("dash", "Berlin &mdash; a city &ndash; is large.", copied("&mdash;")),
        ("copyright", "&copy; 2024 Anna", copied("&copy;")),
        ("double_escaped", "Write &amp;amp; for a sign.", copied("&amp;amp;")),
        ("bare_ampersand", "Anna & Peter live here.", copied("&")),
        ("unknown", "The house &house; is small.", copied("&house;")),
        ("without_semicolon", "Anna &amp Peter live here.", copied("&amp")),
        ("only_entities", "&nbsp;&hellip;", UNCHANGED),
        ("in_attribute", '<a title="a &quot;b&quot;">The house</a>', verbatim("&quot;b&quot;")),
        ("beside_tag", "<b>Anna&nbsp;</b>&amp;<i>&nbsp;Peter</i> live here.", copied("&amp;")),
    ],
    format="html",
)

BROKEN_MARKUP = table(
    "broken_markup",
    [
        ("never_closed", "The <b>house is small."),
        ("never_opened", "The house</b> is small."),
        ("crossed", "The <b>very <i>small</b> house</i> is old."),
        ("cut_off_in_tag", 'The house is small <a href="x', mentions("Haus")),
        ("cut_off_in_comment", "The house is small <!-- and"),
        ("less_than_sign", "If a < b, then Anna stops.", mentions("Anna"), copied(" < ")),
        ("heart", "I <3 you, Anna.", mentions("Anna"), copied("<3")),
        ("arrow", "The house -> the garden => Anna.", mentions("Anna"), copied("->", "=>")),
        ("lone_less_than", "<", UNCHANGED),
        ("less_than_only", "<<<<", UNCHANGED),
        ("empty_tag", "The house <> is </> small.", copied("<>")),
        ("list_without_ends", "<ul><li>The house<li>The garden</ul>", BLOCKS),
        ("paragraphs_without_ends", "<p>The house is small.<p>The garden is large.", BLOCKS),
        ("block_in_inline", "<b>The house <p>is small.</p></b>", BLOCKS),
        ("duplicate_attribute", '<b id="1" id="2">The house</b> is small.'),
        ("unquoted", "<a href=x.html?a=b&c=d>The house</a> is small."),
        ("unclosed_quote", '<a href="x.html>The house</a> is small.'),
        ("script_never_closed", "<p>The house</p><script>var a = 1;", verbatim("var a = 1;")),
        ("mail_in_angles", "Write to Anna <anna@example.org> today.",
         verbatim("<anna@example.org>")),
        ("end_of_comment", "The house --> is small.", copied("-->")),
        ("nul_entity", "The house &#0; is small.", copied("&#0;")),
        ("end_tag_with_attributes", 'The <b>house</b class="x"> is small.'),
    ],
    format="html",
)  # fmt: skip

MARKUP_TEXTS: tuple[NastyText, ...] = (*MARKUP, *ENTITIES, *BROKEN_MARKUP)
