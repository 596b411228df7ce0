// The page's nodes, asked through what this isolated world found in its own prototypes. The page's scripts cannot change those; and a
// form's or document's named elements (`<input name="children">`, `<img name="body">`), which hide its own properties in every
// world, do not hide these.
const getter = (prototype, name) => {
  const { get } = Object.getOwnPropertyDescriptor(prototype, name);
  return (node) => get.call(node);
};
const method = (prototype, name) => {
  const { value } = Object.getOwnPropertyDescriptor(prototype, name);
  return (node, first, second) => value.call(node, first, second);
};

const slots = { 1: getter(Element.prototype, 'assignedSlot'), 3: getter(Text.prototype, 'assignedSlot') };
const assignedSlotOf = (node) => slots[typeOf(node)]?.(node) ?? null;
const childElementsOf = getter(Element.prototype, 'children');
const childNodesOf = getter(Node.prototype, 'childNodes');
const connected = getter(Node.prototype, 'isConnected');
const documentOf = getter(Node.prototype, 'ownerDocument');
const firstElementOf = getter(Element.prototype, 'firstElementChild');
const idOf = getter(Element.prototype, 'id');
const namespaceOf = getter(Element.prototype, 'namespaceURI');
const nextElementOf = getter(Element.prototype, 'nextElementSibling');
const nextOf = getter(Node.prototype, 'nextSibling');
const firstOf = getter(Node.prototype, 'firstChild');
const parentElementOf = getter(Node.prototype, 'parentElement');
const parentNodeOf = getter(Node.prototype, 'parentNode');
const previousElementOf = getter(Element.prototype, 'previousElementSibling');
const shadowOf = getter(Element.prototype, 'shadowRoot');
const localOf = getter(Element.prototype, 'localName');
const textOf = getter(Node.prototype, 'textContent');
const typeOf = getter(Node.prototype, 'nodeType');
const baseOf = getter(Node.prototype, 'baseURI');

// Tags whose elements have parts of their own (`options`, `value`, `contentDocument`) if they are HTML's. In another namespace, such as
// `<math><select>`, they are elements like any other.
const HTML = 'http://www.w3.org/1999/xhtml';
const OWN_PARTS = new Set([
  ...['area', 'audio', 'button', 'canvas', 'details', 'dialog', 'fieldset', 'form', 'frame', 'iframe', 'img', 'input', 'label', 'map'],
  ...['meter', 'object', 'optgroup', 'option', 'output', 'progress', 'select', 'slot', 'table', 'textarea', 'video'],
]);
const tagOf = (el) => {
  const tag = localOf(el);
  return OWN_PARTS.has(tag) && namespaceOf(el) !== HTML ? `other-${tag}` : tag;
};
const editable = (el) => el.isContentEditable === true;

const attribute = method(Element.prototype, 'getAttribute');
const closest = method(Element.prototype, 'closest');
const contains = method(Node.prototype, 'contains');
const has = method(Element.prototype, 'hasAttribute');
const matches = method(Element.prototype, 'matches');
const rectOf = method(Element.prototype, 'getBoundingClientRect');
const rectsOf = method(Element.prototype, 'getClientRects');
const rendered = method(Element.prototype, 'checkVisibility');
const VISIBLY = { visibilityProperty: true };
const rootOf = method(Node.prototype, 'getRootNode');

const viewOf = (el) => (typeOf(el) === Node.DOCUMENT_NODE ? defaultViewOf(el) : defaultViewOf(documentOf(el)));
const defaultViewOf = getter(Document.prototype, 'defaultView');
const adoptedIn = (root) => (typeOf(root) === Node.DOCUMENT_NODE ? adoptedOfDocument(root) : root.adoptedStyleSheets);
const adoptedOfDocument = getter(Document.prototype, 'adoptedStyleSheets');
const animationsIn = method(Document.prototype, 'getAnimations');
const bodyOf = getter(Document.prototype, 'body');
const contentTypeOf = getter(Document.prototype, 'contentType');
const doctypeIn = getter(Document.prototype, 'doctype');
const elementMade = method(Document.prototype, 'createElement');
const focused = method(Document.prototype, 'hasFocus');
const fragmentMade = method(Document.prototype, 'createDocumentFragment');
const rangeMade = method(Document.prototype, 'createRange');
const readyStateOf = getter(Document.prototype, 'readyState');
const scrollingIn = getter(Document.prototype, 'scrollingElement');
const visibilityOf = getter(Document.prototype, 'visibilityState');
const pointIn = (root, x, y) => (typeOf(root) === Node.DOCUMENT_NODE ? pointInDocument(root, x, y) : root.elementFromPoint(x, y));
const pointInDocument = method(Document.prototype, 'elementFromPoint');
const timelineOf = getter(Document.prototype, 'timeline');
const titleOf = getter(Document.prototype, 'title');
const walkerOf = method(Document.prototype, 'createTreeWalker');
const elementOf = getter(Document.prototype, 'documentElement');
const implementationOf = getter(Document.prototype, 'implementation');
const activeIn = (root) => (typeOf(root) === Node.DOCUMENT_NODE ? activeOfDocument(root) : root.activeElement);
const activeOfDocument = getter(Document.prototype, 'activeElement');
const queries = {
  one: { 1: method(Element.prototype, 'querySelector'), 9: method(Document.prototype, 'querySelector'), 11: method(DocumentFragment.prototype, 'querySelector') },
  all: { 1: method(Element.prototype, 'querySelectorAll'), 9: method(Document.prototype, 'querySelectorAll'), 11: method(DocumentFragment.prototype, 'querySelectorAll') },
};
const query = (root, selector) => queries.one[typeOf(root)](root, selector);
const queryAll = (root, selector) => queries.all[typeOf(root)](root, selector);
const hostOf = (root) => (typeOf(root) === Node.DOCUMENT_FRAGMENT_NODE ? root.host : null);
const styleOf = (el, which) => viewOf(el).getComputedStyle(el, which);

// What is inside a frame, if this world may look.
function documentIn(el) {
  const tag = tagOf(el);
  return tag === 'iframe' || tag === 'frame' ? el.contentDocument : null;
}

// Up one step, as a person sees it: out of slots, shadow roots and frames.
function parentOf(node) {
  const slot = assignedSlotOf(node);
  if (slot) return slot;
  const parent = parentNodeOf(node);
  if (!parent) return null;
  if (typeOf(parent) === Node.ELEMENT_NODE) return parent;
  return hostOf(parent) ?? (typeOf(parent) === Node.DOCUMENT_NODE ? (defaultViewOf(parent)?.frameElement ?? null) : null);
}

// Down one step, likewise: a host's shadow tree, a slot's assigned nodes.
function eachChild(el, visit) {
  if (tagOf(el) === 'slot') {
    const assigned = el.assignedNodes();
    if (assigned.length) {
      assigned.forEach(visit);
      return;
    }
  }
  for (let child = firstOf(shadowOf(el) ?? el); child; child = nextOf(child)) visit(child);
}

// Documents and open shadow roots that this world may look into.
function* rootsBelow(root) {
  yield root;
  for (const el of queryAll(root, '*')) {
    const shadow = shadowOf(el);
    if (shadow) yield* rootsBelow(shadow);
    const inner = documentIn(el);
    if (inner && elementOf(inner)) yield* rootsBelow(inner);
  }
}
