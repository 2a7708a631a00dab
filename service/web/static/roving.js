// Roving tabindex: a group of buttons is one tab stop, and arrow keys move within it.

const NEXT_TO_IT = 24;

export function roving(group, selector, columns = () => 1) {
  const items = () => [...group.querySelectorAll(selector)];
  const steps = () => ({
    ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns(), ArrowUp: -columns(), Home: -Infinity, End: Infinity,
  });

  function stopAt(item) {
    for (const other of items()) other.tabIndex = other === item ? 0 : -1;
  }

  group.addEventListener("keydown", (event) => {
    const all = items();
    const step = steps()[event.key];
    const at = all.indexOf(document.activeElement);
    if (step === undefined || at < 0) return;
    event.preventDefault();
    all[Math.min(all.length - 1, Math.max(0, at + step))].focus();
  });
  group.addEventListener("focusin", (event) => {
    if (event.target.matches(selector)) stopAt(event.target);
  });
  return { stopAt, reset: () => stopAt(items()[0]) };
}

// Scrolls a row that is wider than its place sideways, until an item is seen whole.
export function bringIntoRow(item) {
  const [row, place] = [item.parentElement.getBoundingClientRect(), item.getBoundingClientRect()];
  if (place.left < row.left) item.parentElement.scrollLeft -= row.left - place.left + NEXT_TO_IT;
  else if (place.right > row.right) item.parentElement.scrollLeft += place.right - row.right + NEXT_TO_IT;
}
