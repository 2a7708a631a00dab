"""Words that people type alone, by language: too short for statistics of letters."""

COMMON_WORDS: dict[str, frozenset[str]] = {
    language: frozenset(words.split())
    for language, words in {
        "cs": "ahoj ano ne děkuji dobrý den prosím já ty on ona my je jsem a že to na v se",
        "da": "hej ja nej tak goddag farvel jeg du han hun vi er og det en et ikke på hvad",
        "de": "hallo ja nein danke bitte ich du er sie es wir ihr der die das ein eine und ist sind"
        " nicht wer wie wo wann warum wenn kein mein dein guten tag tschüss abbrechen datei",
        "en": "hello hi yes no thanks please i you he she it we they the a an and is are not do"
        " who what why where when if this that my your his her can let there ok bye cancel file",
        "es": "hola sí no gracias por favor yo tú él ella el la los las un una y es son qué quién",
        "fi": "hei moi kyllä ei kiitos minä sinä hän me te he on ja se tämä mikä kuka missä että",
        "fr": "bonjour salut oui non merci je tu il elle nous vous ils le la les un une et est qui",
        "hu": "szia igen nem köszönöm én te ő mi ti ők a az egy és van hogy mi ki hol jó napot",
        "it": "ciao sì no grazie prego io tu lui lei noi voi il lo la gli un una e è che chi dove",
        "nl": "hallo hoi ja nee dank ik jij hij zij wij de het een en is zijn niet wie wat waar",
        "no": "hei ja nei takk jeg du han hun vi de er og det en et ikke på hva hvem hvor ha det",
        "pl": "cześć tak nie dziękuję proszę ja ty on ona my wy jest i że to na w się co kto gdzie",
        "pt": "olá oi sim não obrigado obrigada eu tu você ele ela nós o a os as um uma e é que",
        "ro": "salut da nu mulțumesc eu tu el ea noi voi un o și este sunt ce cine unde bună ziua",
        "sv": "hej ja nej tack jag du han hon vi ni de är och det en ett inte på vad vem var",
        "tr": "merhaba evet hayır teşekkürler ben sen o biz siz bir ve bu ne kim nerede değil iyi",  # noqa: RUF001
    }.items()
}
