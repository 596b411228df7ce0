// Runs in an isolated world of the page's main document: the page's scripts neither see it nor can change it, and it is gone
// with the document, so a ref can never mean an element of another one.
const MAX_REFS = 100000;
const state = { refs: [] };

class Refusal extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

const viewOf = (el) => el.ownerDocument.defaultView;
const styleOf = (el) => viewOf(el).getComputedStyle(el);
const squeeze = (text) => text.replace(/[\s\u200b]+/g, ' ').trim();

function parentOf(node) {
  if (node.assignedSlot) return node.assignedSlot;
  if (node.parentElement) return node.parentElement;
  const root = node.getRootNode();
  if (root.host) return root.host;
  return root.defaultView && root.defaultView.frameElement;
}

// Documents and open shadow roots that this world may look into.
function* rootsBelow(root) {
  yield root;
  for (const el of root.querySelectorAll('*')) {
    if (el.shadowRoot) yield* rootsBelow(el.shadowRoot);
    if (el.localName === 'iframe' || el.localName === 'frame') {
      const inner = el.contentDocument;
      if (inner && inner.documentElement) yield* rootsBelow(inner);
    }
  }
}

function resolve(target) {
  if (/^e\d+$/.test(target)) {
    const el = state.refs[Number(target.slice(1))];
    if (!el) throw new Refusal('ref_gone', `there is no ref ${target} on this page; read its tree again`);
    if (!el.isConnected) throw new Refusal('ref_gone', `the element of ${target} is no longer on the page; read its tree again`);
    return el;
  }
  let found = null;
  try {
    document.createDocumentFragment().querySelector(target);
  } catch {
    throw new Refusal('invalid_request', `${JSON.stringify(target)} is neither a CSS selector nor a ref`);
  }
  found = document.querySelector(target);
  if (found) return found;
  for (const root of rootsBelow(document)) {
    found = root.querySelector(target);
    if (found) return found;
  }
  throw new Refusal('element_not_found', `nothing on the page matches ${JSON.stringify(target)}`);
}

function visible(el) {
  if (!el.isConnected) return false;
  const style = styleOf(el);
  if (style.visibility !== 'visible') return false;
  if (style.display === 'contents') return [...el.children].some(visible);
  const box = el.getBoundingClientRect();
  return box.width > 0 && box.height > 0;
}

function disabled(el) {
  if (el.closest('[aria-disabled="true"]')) return true;
  return el.matches(':disabled') || (el.localName === 'option' && el.parentElement?.matches(':disabled'));
}

// Where a frame's viewport lies in the top one.
function offsetOf(win) {
  let x = 0;
  let y = 0;
  for (let frame = win.frameElement; frame; frame = frame.ownerDocument.defaultView.frameElement) {
    const box = frame.getBoundingClientRect();
    x += box.left + frame.clientLeft;
    y += box.top + frame.clientTop;
  }
  return { x, y };
}

function boxOf(el) {
  const box = el.getBoundingClientRect();
  const offset = offsetOf(viewOf(el));
  return { x: box.left + offset.x, y: box.top + offset.y, width: box.width, height: box.height };
}

const describe = (el) => {
  const id = el.id ? `#${el.id}` : '';
  const classes = typeof el.className === 'string' && el.className ? `.${el.className.trim().split(/\s+/).slice(0, 2).join('.')}` : '';
  return `<${el.localName}${id}${classes}>`;
};
