// Accessible names, as "Accessible Name and Description Computation" 1.2 and the HTML mappings compute them.
const NAMED_BY_CONTENT = words(
  'button cell checkbox columnheader gridcell heading link menuitem menuitemcheckbox menuitemradio option radio row rowheader switch tab ' +
    'tooltip treeitem',
);
// Inside an element named by its content these give their content too.
const PASSES_CONTENT = words(
  'caption code contentinfo definition deletion emphasis insertion list listitem mark none paragraph presentation region row rowgroup ' +
    'strong subscript superscript table term time',
);
const UNRENDERED = words('script style template');
const RANGES = words('progressbar scrollbar slider spinbutton meter');

// What one reading of the tree has found out already; the page stands still meanwhile.
let memo = null;
function remembering(read) {
  memo = { facts: new Map(), entered: new Set(), marked: new Set(), disabled: new Set(), decorated: new Set(), decoratedAll: false };
  try {
    return read();
  } finally {
    memo = null;
  }
}

// For one element: every question is asked where it comes up, since to prepare all answers takes a look at the whole page.
function considering(read) {
  const all = { has: () => true };
  memo = { facts: new Map(), entered: all, marked: all, disabled: all, decorated: all, decoratedAll: true };
  try {
    return read();
  } finally {
    memo = null;
  }
}

function factsOf(el) {
  let facts = memo.facts.get(el);
  if (facts === undefined) memo.facts.set(el, (facts = { role: undefined, hidden: undefined, display: undefined }));
  return facts;
}

function roleOf(el) {
  const facts = factsOf(el);
  return facts.role === undefined ? (facts.role = computedRole(el)) : facts.role;
}

function displayOf(el) {
  const facts = factsOf(el);
  return facts.display === undefined ? (facts.display = styleOf(el).display) : facts.display;
}

const apart = (el) => displayOf(el) !== 'inline' || tagOf(el) === 'br';
const silenced = (el) => marked(el) && (attribute(el, 'aria-hidden')?.toLowerCase() === 'true' || has(el, 'inert'));

// Whether an element, looked at alone, is kept from people.
function concealed(el) {
  const tag = tagOf(el);
  if (UNRENDERED.has(tag)) return true;
  if (silenced(el)) return true;
  if (rendered(el, VISIBLY)) return false;
  // A closed list's options have no boxes, and a slot and `display: contents` never have one.
  const display = displayOf(el);
  if (display === 'none') return true;
  if (tag === 'slot' || ((tag === 'option' || tag === 'optgroup') && closest(el, 'select'))) return false;
  if (display !== 'contents') return true;
  for (let child = firstOf(el); child; child = nextOf(child)) {
    if (typeOf(child) === Node.TEXT_NODE ? shows(child) : typeOf(child) === Node.ELEMENT_NODE && !concealed(child)) return false;
  }
  return true;
}

function shows(text) {
  const range = rangeMade(documentOf(text));
  range.selectNode(text);
  const box = range.getBoundingClientRect();
  return box.width > 0 && box.height > 0;
}

function hidden(el) {
  const facts = factsOf(el);
  return facts.hidden === undefined ? (facts.hidden = concealed(el) || hiddenAbove(el)) : facts.hidden;
}

function hiddenAbove(el) {
  for (let one = el; one; one = scopeParentOf(one)) {
    if (one !== el) {
      if (factsOf(one).hidden === false) return false;
      if (silenced(one) || displayOf(one) === 'none') return true;
    }
    const parent = parentElementOf(one);
    if (parent && shadowOf(parent) && !assignedSlotOf(one)) return true;
  }
  return false;
}

// Text that stands in no box: beside a host's slots, or in closed details.
function unshown(text) {
  const parent = parentElementOf(text);
  if (!parent) return false;
  if (shadowOf(parent) && !assignedSlotOf(text)) return true;
  return tagOf(parent) === 'details' && !parent.open;
}

// The nodes in an element as a person meets them.
function eachWithin(el, visit) {
  const shadow = shadowOf(el);
  if (shadow) enter(shadow);
  eachChild(el, visit);
}

function joined(el, how) {
  let text = generated(el, '::before');
  const add = (node) => {
    const type = typeOf(node);
    if (type === Node.TEXT_NODE) {
      if (how.unhidden || !unshown(node)) text += node.data;
    } else if (type === Node.ELEMENT_NODE) {
      const inner = alternative(node, how);
      text += apart(node) ? ` ${inner} ` : inner;
    }
  };
  eachWithin(el, add);
  for (const owned of byIds(el, 'aria-owns')) add(owned);
  return text + generated(el, '::after');
}

function byIds(el, name) {
  const ids = marked(el) && attribute(el, name);
  if (!ids) return [];
  const root = rootOf(el);
  return [...new Set(ids.split(/\s+/).filter(Boolean).map((id) => query(root, `#${CSS.escape(id)}`)).filter(Boolean))];
}
