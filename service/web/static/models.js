// The served models: what the one can that translates between two languages.

import { loadModels } from "./service.js";

let loading = null;

// Null where several models share the way.
export async function modelOf({ source, target }) {
  loading ??= loadModels();
  try {
    const models = await loading;
    return models.find(({ pairs }) => pairs.some((pair) => isSame(pair.source, source) && isSame(pair.target, target))) ?? null;
  } catch (error) {
    loading = null;
    throw error;
  }
}

const isSame = (one, other) => one.toLowerCase() === other.toLowerCase();
