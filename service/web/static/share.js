// Languages and text in the fragment of the address, which is never sent to a server.

export function shared() {
  const fields = new URLSearchParams(location.hash.slice(1));
  return { source: fields.get("source"), target: fields.get("target"), text: fields.get("text") };
}

export function addressOf({ source, target, text }) {
  const address = new URL(location.href);
  address.hash = new URLSearchParams({ source, target, text }).toString();
  return address.href;
}
