// Roles and names, as ARIA in HTML and "Accessible Name and Description Computation" define them, as far as agents need them.
const INPUT_ROLES = {
  button: 'button', submit: 'button', reset: 'button', image: 'button', checkbox: 'checkbox', radio: 'radio', range: 'slider',
  number: 'spinbutton', search: 'searchbox', email: 'textbox', tel: 'textbox', text: 'textbox', url: 'textbox', password: 'textbox',
};
const TAG_ROLES = {
  article: 'article', aside: 'complementary', blockquote: 'blockquote', button: 'button', caption: 'caption', code: 'code',
  datalist: 'listbox', dd: 'definition', del: 'deletion', details: 'group', dfn: 'term', dialog: 'dialog', dt: 'term',
  em: 'emphasis', fieldset: 'group', figure: 'figure', h1: 'heading', h2: 'heading', h3: 'heading', h4: 'heading', h5: 'heading',
  h6: 'heading', hr: 'separator', ins: 'insertion', li: 'listitem', main: 'main', mark: 'mark', math: 'math', menu: 'list',
  meter: 'meter', nav: 'navigation', ol: 'list', optgroup: 'group', option: 'option', output: 'status', p: 'paragraph',
  progress: 'progressbar', search: 'search', strong: 'strong', sub: 'subscript', summary: 'button', sup: 'superscript', svg: 'img', table: 'table', tbody: 'rowgroup',
  textarea: 'textbox', tfoot: 'rowgroup', thead: 'rowgroup', time: 'time', tr: 'row', ul: 'list', iframe: 'iframe', frame: 'iframe',
};
const SECTIONING = 'article,aside,main,nav,section,[role=article],[role=complementary],[role=main],[role=navigation],[role=region]';
const FROM_CONTENT = new Set([
  'button', 'cell', 'checkbox', 'columnheader', 'gridcell', 'heading', 'link', 'menuitem', 'menuitemcheckbox', 'menuitemradio',
  'option', 'radio', 'row', 'rowheader', 'switch', 'tab', 'tooltip', 'treeitem',
]);
const INTERACTIVE = new Set([
  'button', 'link', 'textbox', 'searchbox', 'combobox', 'listbox', 'checkbox', 'radio', 'switch', 'slider', 'spinbutton',
  'menuitem', 'menuitemcheckbox', 'menuitemradio', 'option', 'tab', 'treeitem',
]);
const KNOWN_ROLE = /^[a-z]+$/;

function implicitRole(el) {
  const tag = el.localName;
  switch (tag) {
    case 'a':
    case 'area':
      return el.hasAttribute('href') ? 'link' : null;
    case 'footer':
      return el.parentElement?.closest(SECTIONING) ? null : 'contentinfo';
    case 'header':
      return el.parentElement?.closest(SECTIONING) ? null : 'banner';
    case 'form':
      return ownLabel(el) ? 'form' : null;
    case 'section':
      return ownLabel(el) ? 'region' : null;
    case 'img':
      return el.getAttribute('alt') === '' && !el.title && !ownLabel(el) ? 'presentation' : 'img';
    case 'input': {
      const type = el.type;
      if (type === 'hidden') return null;
      const role = INPUT_ROLES[type] ?? 'textbox';
      return el.list && (role === 'textbox' || role === 'searchbox') ? 'combobox' : role;
    }
    case 'select':
      return el.multiple || el.size > 1 ? 'listbox' : 'combobox';
    case 'td':
    case 'th': {
      const grid = el.closest('table')?.getAttribute('role');
      if (tag === 'td') return grid === 'grid' || grid === 'treegrid' ? 'gridcell' : 'cell';
      if (el.scope === 'row' || el.scope === 'rowgroup') return 'rowheader';
      if (el.scope === 'col' || el.scope === 'colgroup') return 'columnheader';
      const row = el.parentElement;
      const inHead = row?.parentElement?.localName === 'thead';
      return inHead || [...(row?.children ?? [])].every((cell) => cell.localName === 'th') ? 'columnheader' : 'rowheader';
    }
  }
  return TAG_ROLES[tag] ?? null;
}

function roleOf(el) {
  for (const role of (el.getAttribute('role') ?? '').toLowerCase().split(/\s+/)) {
    if ((role === 'none' || role === 'presentation') && (el.tabIndex >= 0 || ownLabel(el))) break;
    if (KNOWN_ROLE.test(role)) return role;
  }
  const role = implicitRole(el);
  if (role === null && el.isContentEditable && !el.parentElement?.isContentEditable) return 'textbox';
  return role;
}

const ownLabel = (el) => el.hasAttribute('aria-labelledby') || !!squeeze(el.getAttribute('aria-label') ?? '');

function hiddenFromTree(el, style) {
  return style.display === 'none' || el.getAttribute('aria-hidden') === 'true' || el.inert ||
    /^(script|style|noscript|template|head|title|meta|link|base)$/.test(el.localName);
}

function* childrenOf(el) {
  if (el.localName === 'slot') {
    const assigned = el.assignedNodes();
    yield* assigned.length ? assigned : el.childNodes;
  } else if (el.shadowRoot) {
    yield* el.shadowRoot.childNodes;
  } else {
    yield* el.childNodes;
  }
}

function pseudo(el, which) {
  const content = viewOf(el).getComputedStyle(el, which).content;
  const match = /^"((?:[^"\\]|\\.)*)"$/.exec(content);
  return match ? match[1].replace(/\\(.)/g, '$1') : '';
}

function nameFromContent(el, seen) {
  let text = pseudo(el, '::before');
  for (const node of childrenOf(el)) {
    if (node.nodeType === Node.TEXT_NODE) {
      text += node.data;
    } else if (node.nodeType === Node.ELEMENT_NODE && !seen.has(node)) {
      const style = styleOf(node);
      if (hiddenFromTree(node, style) || style.visibility !== 'visible') continue;
      const inner = nameOf(node, { seen, embedded: true });
      const inline = style.display.startsWith('inline') || style.display === 'contents';
      text += inline && node.localName !== 'br' ? inner : ` ${inner} `;
    }
  }
  return text + pseudo(el, '::after');
}

function labelsOf(el, seen) {
  return squeeze([...(el.labels ?? [])].map((label) => nameOf(label, { seen: new Set([...seen, el]), embedded: true })).join(' '));
}

function nativeName(el, seen) {
  const child = (tag) => {
    const found = [...el.children].find((one) => one.localName === tag);
    return found ? squeeze(nameOf(found, { seen, embedded: true })) : '';
  };
  switch (el.localName) {
    case 'input':
      if (el.type === 'submit' || el.type === 'reset' || el.type === 'button') {
        return el.value || el.title || { submit: 'Submit', reset: 'Reset' }[el.type] || '';
      }
      if (el.type === 'image') return el.alt || el.title || 'Submit';
      return labelsOf(el, seen) || el.title || el.placeholder || '';
    case 'textarea':
      return labelsOf(el, seen) || el.title || el.placeholder || '';
    case 'button':
    case 'select':
    case 'meter':
    case 'progress':
    case 'output':
      return labelsOf(el, seen);
    case 'fieldset':
      return child('legend');
    case 'figure':
      return child('figcaption');
    case 'table':
      return child('caption') || el.getAttribute('summary') || '';
    case 'img':
    case 'area':
      return el.alt || el.title || '';
    case 'svg':
      return child('title') || el.getAttribute('aria-label') || '';
    case 'optgroup':
      return el.label;
    case 'option':
      return el.label;
  }
  return '';
}

// The accessible name; `embedded` while the name of an element around it is computed.
function nameOf(el, { seen = new Set(), embedded = false, referenced = false } = {}) {
  if (seen.has(el)) return '';
  seen.add(el);
  if (!referenced && el.hasAttribute('aria-labelledby')) {
    const named = el.getAttribute('aria-labelledby').split(/\s+/).map((id) => el.getRootNode().getElementById?.(id)).filter(Boolean);
    const text = squeeze(named.map((one) => nameOf(one, { seen: new Set(), embedded: true, referenced: true })).join(' '));
    if (text) return text;
  }
  const role = roleOf(el);
  if (embedded) {
    const value = embeddedValue(el, role);
    if (value !== null) return value;
  }
  const label = squeeze(el.getAttribute('aria-label') ?? '');
  if (label) return label;
  const native = role === 'presentation' || role === 'none' ? '' : squeeze(nativeName(el, seen));
  if (native) return native;
  if (embedded || FROM_CONTENT.has(role)) {
    const content = nameFromContent(el, seen);
    if (squeeze(content)) return embedded ? content : squeeze(content);
  }
  return squeeze(el.getAttribute('title') ?? '');
}

function embeddedValue(el, role) {
  if (role === 'textbox' || role === 'searchbox') return el.type === 'password' ? '' : (el.value ?? el.textContent);
  if (el.localName === 'select') return [...el.selectedOptions].map((one) => one.label).join(' ');
  if (role === 'slider' || role === 'spinbutton') return el.getAttribute('aria-valuetext') ?? el.getAttribute('aria-valuenow') ?? el.value ?? '';
  return null;
}
