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

const squeeze = (text) => text.replace(/[\u200b\u00ad]/g, '').trim().replace(/\s+/g, ' ');
const quoted = (text) => JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);

function resolve(target) {
  if (/^e\d+$/.test(target)) {
    const el = state.refs[Number(target.slice(1))];
    if (!el) throw new Refusal('ref_gone', `there is no ref ${target} on this page; read its tree again`);
    if (!connected(el) || !viewOf(el)) {
      throw new Refusal('ref_gone', `the element of ${target} is no longer on the page; read its tree again`);
    }
    return el;
  }
  try {
    query(document.createDocumentFragment(), target);
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
  return `<${tagOf(el)}${id}${classes}>`;
};
