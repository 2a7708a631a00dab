// Sentences to begin with, by language.

export const EXAMPLES = {
  en: ["Where is the nearest train station?", "The old bridge was built in 1885.", "She never said that she would come."],
  de: ["Wo ist der nächste Bahnhof?", "Die alte Brücke wurde 1885 gebaut.", "Sie hat nie gesagt, dass sie kommt."],
};
