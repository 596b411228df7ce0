// Runs in an isolated world of the page's main document: the page's scripts neither see it nor can change it, and it is gone
// with the document. Numbers come from the agent, which gives none twice in its browser's life: a ref means one element, or nothing.
const MAX_REFS = 100000;
const state = {
  refs: new Map(), // number -> node: what refs lead to
  numbers: { own: new WeakMap(), before: new WeakMap(), after: new WeakMap() }, // node -> number; generated text has none of its own
  next: 0,
  swept: false, // some that have a number are no longer in `refs`
};

// A node keeps its number as long as it lives, on the page or off.
function numberOf(node, among) {
  let number = among.get(node);
  if (number === undefined) among.set(node, (number = state.next++));
  else if (!state.swept) return number;
  state.refs.set(number, node);
  return number;
}

const onPage = (node) => connected(node) && viewOf(node) !== null;

// Refs outlive the tree that they were given in, but not their elements, nor without bound.
function sweepRefs(given) {
  if (state.refs.size <= 2 * given.length + 1000) return;
  state.swept = true;
  for (const [number, node] of state.refs) if (!onPage(node)) state.refs.delete(number);
  if (state.refs.size <= 2 * MAX_REFS) return;
  const kept = new Set(given);
  for (const number of state.refs.keys()) if (!kept.has(number)) state.refs.delete(number);
}

class Refusal extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

const squeeze = (text) => text.replace(/[\u200b\u00ad]/g, '').trim().replace(/\s+/g, ' ');
const quoted = (text) => JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);

function resolve(target) {
  if (/^e\d+$/.test(target)) {
    const node = state.refs.get(Number(target.slice(1)));
    if (!node) throw new Refusal('ref_gone', `there is no ref ${target} on this page; read its tree again`);
    if (!onPage(node)) throw new Refusal('ref_gone', `the element of ${target} is no longer on the page; read its tree again`);
    return elementAt(node);
  }
  try {
    query(fragmentMade(document), target);
  } catch {
    throw new Refusal('invalid_request', `${quoted(target)} is neither a CSS selector nor a ref`);
  }
  let found = query(document, target);
  if (found) return found;
  for (const root of rootsBelow(document)) {
    found = query(root, target);
    if (found) return found;
  }
  throw new Refusal('element_not_found', `nothing on the page matches ${quoted(target)}`);
}

function visible(el) {
  const style = styleOf(el);
  if (style.display === 'contents') return [...childElementsOf(el)].some(visible);
  if (!rendered(el, VISIBLY)) return false;
  const box = rectOf(el);
  return box.width > 0 && box.height > 0;
}

function disabled(el) {
  if (closest(el, '[aria-disabled="true"]')) return true;
  return matches(el, ':disabled') || (tagOf(el) === 'option' && !!closest(el, 'select:disabled'));
}

// Where a frame's viewport lies in the top one.
function offsetOf(win) {
  let x = 0;
  let y = 0;
  for (let frame = win.frameElement; frame; frame = viewOf(frame).frameElement) {
    const box = rectOf(frame);
    const style = styleOf(frame);
    x += box.left + frame.clientLeft + parseFloat(style.paddingLeft);
    y += box.top + frame.clientTop + parseFloat(style.paddingTop);
  }
  return { x, y };
}

function boxOf(el) {
  const box = rectOf(el);
  const offset = offsetOf(viewOf(el));
  return { x: box.left + offset.x, y: box.top + offset.y, width: box.width, height: box.height };
}

const describe = (el) => {
  const id = idOf(el) ? `#${idOf(el)}` : '';
  const classes = (attribute(el, 'class') ?? '').trim().split(/\s+/).slice(0, 2).filter(Boolean).map((name) => `.${name}`).join('');
  return `<${localOf(el)}${id}${classes}>`;
};

// Who was met, for whoever did something to it: role, name and tag, as far as it has them.
const introduced = (el) =>
  considering(() => {
    const role = roleOf(el) ?? handRole(el, tagOf(el));
    const name = role && nameOf(el);
    const plain = !role || role === 'presentation' || role === 'none';
    return [plain ? '' : role, name && quoted(name), describe(el)].filter(Boolean).join(' ').toWellFormed();
  });
