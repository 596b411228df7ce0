// The accessibility tree as a flat list, in document order, each entry with a ref that `resolve` takes until the next tree.
const MASK = '••••••••';

function valueOf(el, role) {
  switch (role) {
    case 'textbox':
    case 'searchbox':
    case 'spinbutton':
    case 'slider':
      if (el.localName === 'input' && el.type === 'password') return el.value ? MASK : '';
      if ('value' in el) return el.value;
      return el.getAttribute('aria-valuetext') ?? el.getAttribute('aria-valuenow') ?? squeeze(el.innerText ?? '');
    case 'combobox':
      if (el.localName === 'select') return el.selectedOptions[0]?.label ?? '';
      return 'value' in el ? el.value : undefined;
    case 'progressbar':
    case 'meter':
      return el.localName === 'progress' && !el.hasAttribute('value') ? undefined : String(el.value ?? el.getAttribute('aria-valuenow') ?? '');
  }
  return undefined;
}

const tristate = (text) => (text === 'mixed' ? 'mixed' : text === 'true' ? true : text === 'false' ? false : undefined);

function entry(el, role, depth) {
  const node = { ref: `e${state.refs.push(el) - 1}`, role, name: nameOf(el), depth };
  const put = (key, value) => {
    if (value !== undefined && value !== null) node[key] = value;
  };
  put('value', valueOf(el, role));
  if (el.localName === 'input' && (el.type === 'checkbox' || el.type === 'radio')) put('checked', el.indeterminate ? 'mixed' : el.checked);
  else put('checked', tristate(el.getAttribute('aria-checked')));
  if (el.localName === 'option') put('selected', el.selected || undefined);
  else put('selected', tristate(el.getAttribute('aria-selected')));
  if (el.localName === 'summary' && el.parentElement?.localName === 'details') put('expanded', el.parentElement.open);
  else put('expanded', tristate(el.getAttribute('aria-expanded')));
  put('pressed', tristate(el.getAttribute('aria-pressed')));
  if (role === 'heading') put('level', Number(el.getAttribute('aria-level') ?? el.localName.slice(1)) || 2);
  if (INTERACTIVE.has(role) && disabled(el)) node.disabled = true;
  if (el.getRootNode().activeElement === el && el.localName !== 'body') node.focused = true;
  return node;
}

function tree({ interactive, depth: limit }) {
  state.refs = [];
  const nodes = [];
  let pending = null;
  const deep = (depth) => limit >= 0 && depth > limit;

  const flush = () => {
    if (pending === null) return;
    const text = squeeze(pending.text);
    if (text && !interactive && !deep(pending.depth) && state.refs.length < MAX_REFS) {
      nodes.push({ ref: `e${state.refs.push(pending.el) - 1}`, role: 'StaticText', name: text, depth: pending.depth });
    }
    pending = null;
  };
  const addText = (el, text, depth) => {
    if (pending !== null && pending.depth !== depth) flush();
    pending ??= { el, text: '', depth };
    pending.text += text;
  };

  const walkChildren = (el, depth) => {
    addText(el, pseudo(el, '::before'), depth);
    for (const child of childrenOf(el)) {
      if (child.nodeType === Node.TEXT_NODE) {
        if (styleOf(child.parentElement ?? el).visibility === 'visible') addText(child.parentElement ?? el, child.data, depth);
      } else if (child.nodeType === Node.ELEMENT_NODE) {
        walk(child, depth);
      }
    }
    addText(el, pseudo(el, '::after'), depth);
  };

  const walk = (el, depth) => {
    if (state.refs.length >= MAX_REFS) return;
    const style = styleOf(el);
    if (hiddenFromTree(el, style)) return;
    const role = roleOf(el);
    const shown = style.visibility === 'visible';
    if (role === null || role === 'presentation' || role === 'none' || role === 'generic' || !shown) {
      const block = !style.display.startsWith('inline') && style.display !== 'contents';
      if (block || el.localName === 'br') addText(el, ' ', depth);
      walkChildren(el, depth);
      if (block) addText(el, ' ', depth);
      return;
    }
    flush();
    const listed = !deep(depth) && (!interactive || INTERACTIVE.has(role));
    const node = listed ? entry(el, role, depth) : null;
    if (node) nodes.push(node);
    const before = nodes.length;
    const refs = state.refs.length;
    if (el.localName === 'iframe' || el.localName === 'frame') {
      const body = el.contentDocument?.body;
      if (body) walkChildren(body, depth + 1);
    } else if (el.localName !== 'svg' && el.localName !== 'textarea' && role !== 'option' && !(role === 'textbox' && el.isContentEditable)) {
      walkChildren(el, interactive && !listed ? depth : depth + 1);
    }
    flush();
    // A name that is its content's text would only be said twice.
    const below = nodes.slice(before);
    if (node && below.length && below.every((one) => one.role === 'StaticText') && squeeze(below.map((one) => one.name).join(' ')) === node.name) {
      nodes.length = before;
      state.refs.length = refs;
    }
  };

  if (document.body) walkChildren(document.body, 0);
  flush();
  return { url: location.href, title: document.title, nodes };
}
