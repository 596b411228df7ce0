// What the agent calls. A refusal comes back as a value: an exception would carry a stack and no code. `behind` says that the
// page is not the one in front, where nothing moves and no key arrives.
const offered = { none, tree, point, missed, proceed, focus, fill, select, scroll, area, html, text, size };
const forHands = new Set(['point', 'focus', 'fill', 'select', 'scroll', 'area', 'none']);
const UNBEGUN = 1000; // milliseconds for a document that has come to have its first element

// A document that has just replaced another has no element until its first bytes are parsed; one whose server pauses there stays so.
const begun = () =>
  new Promise((done) => {
    const observer = new MutationObserver(end);
    function end() {
      observer.disconnect();
      done();
    }
    observer.observe(document, { childList: true });
    setTimeout(end, UNBEGUN);
  });

return async (name, argument) => {
  try {
    if (!elementOf(document) && readyStateOf(document) === 'loading') await begun();
    if (forHands.has(name) && !argument.front && behind()) return { behind: true };
    return { value: await offered[name](argument) };
  } catch (error) {
    if (error instanceof Refusal) return { code: error.code, message: error.message };
    throw error;
  }
};
