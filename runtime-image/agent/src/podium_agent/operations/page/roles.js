// Roles, as "ARIA in HTML" and the Core Accessibility API Mappings give them.
const words = (text) => new Set(text.split(' '));
const INPUT_ROLES = {
  button: 'button', submit: 'button', reset: 'button', image: 'button', file: 'button', checkbox: 'checkbox', radio: 'radio',
  range: 'slider', number: 'spinbutton', search: 'searchbox',
};
const TAG_ROLES = {
  article: 'article', aside: 'complementary', blockquote: 'blockquote', button: 'button', caption: 'caption', code: 'code',
  datalist: 'listbox', dd: 'definition', del: 'deletion', details: 'group', dfn: 'term', dialog: 'dialog', dt: 'term',
  em: 'emphasis', fieldset: 'group', figure: 'figure', frame: 'iframe', h1: 'heading', h2: 'heading', h3: 'heading', h4: 'heading',
  h5: 'heading', h6: 'heading', hr: 'separator', iframe: 'iframe', ins: 'insertion', li: 'listitem', main: 'main', mark: 'mark',
  math: 'math', menu: 'list', meter: 'meter', nav: 'navigation', ol: 'list', optgroup: 'group', option: 'option', output: 'status',
  p: 'paragraph', progress: 'progressbar', search: 'search', strong: 'strong', sub: 'subscript', sup: 'superscript', svg: 'img',
  table: 'table', tbody: 'rowgroup', textarea: 'textbox', tfoot: 'rowgroup', thead: 'rowgroup', time: 'time', tr: 'row', ul: 'list',
};
const EXPLICIT = words(
  'alert alertdialog application article banner blockquote button caption cell checkbox code columnheader combobox complementary ' +
    'contentinfo definition deletion dialog directory document emphasis feed figure form generic grid gridcell group heading img ' +
    'insertion link list listbox listitem log main mark marquee math menu menubar menuitem menuitemcheckbox menuitemradio meter ' +
    'navigation none note option paragraph presentation progressbar radio radiogroup region row rowgroup rowheader scrollbar search ' +
    'searchbox separator slider spinbutton status strong subscript superscript switch tab table tablist tabpanel term textbox time ' +
    'timer toolbar tooltip tree treegrid treeitem',
);
const INTERACTIVE = words(
  'button checkbox combobox link listbox menuitem menuitemcheckbox menuitemradio option radio searchbox slider spinbutton switch tab ' +
    'textbox treeitem',
);
// Inside these a header or footer is not the page's.
const SECTIONS =
  'article:not([role]),aside:not([role]),main:not([role]),nav:not([role]),section:not([role]),' +
  '[role=article],[role=complementary],[role=main],[role=navigation],[role=region]';
// Parts lose their role with the list or table that they are parts of.
const PARTS = {
  dd: ['dl', 'div'], div: ['dl'], dt: ['dl', 'div'], li: ['ol', 'ul'], tbody: ['table'], td: ['tr'], tfoot: ['table'], th: ['tr'],
  thead: ['table'], tr: ['thead', 'tbody', 'tfoot', 'table'],
};
const GLOBAL_STATES = [
  'aria-atomic', 'aria-busy', 'aria-controls', 'aria-current', 'aria-describedby', 'aria-details', 'aria-dropeffect', 'aria-flowto',
  'aria-grabbed', 'aria-hidden', 'aria-keyshortcuts', 'aria-live', 'aria-owns', 'aria-relevant',
];
// The roles that take no name.
const UNNAMED = words(
  'caption code definition deletion emphasis generic insertion mark paragraph presentation strong subscript suggestion superscript ' +
    'term time',
);

// Most elements have nothing of this, and one query knows which: asking each for every attribute would take longer than all the rest.
const MARKS = [...GLOBAL_STATES, 'aria-label', 'aria-labelledby', 'aria-roledescription', 'inert', 'role', 'tabindex', 'title'].map((name) => `[${name}]`).join();
const marked = (el) => memo.marked.has(el);

const labelled = (el) => marked(el) && (has(el, 'aria-label') || has(el, 'aria-labelledby'));
const scopeParentOf = (el) => parentElementOf(el) ?? hostOf(parentNodeOf(el) ?? el);

const titleAttribute = (el) => (marked(el) ? (attribute(el, 'title') ?? '') : '');

// Like `closest`, out of shadow roots too.
function enclosing(el, selector) {
  for (let one = el; one; one = hostOf(rootOf(one))) {
    const found = closest(one, selector);
    if (found) return found;
  }
  return null;
}

function headerRole(el) {
  const scope = attribute(el, 'scope');
  if (scope === 'col' || scope === 'colgroup') return 'columnheader';
  if (scope === 'row' || scope === 'rowgroup') return 'rowheader';
  const beside = [previousElementOf(el), nextElementOf(el)];
  const [before, after] = beside;
  if (!before && !after) {
    const table = closest(el, 'table');
    return table && table.rows.length <= 1 ? null : 'columnheader';
  }
  if (before && after && tagOf(before) === 'th' && tagOf(after) === 'th') return 'columnheader';
  const data = beside.some((cell) => cell && tagOf(cell) === 'td' && (textOf(cell).trim() || firstElementOf(cell)));
  return data ? 'rowheader' : 'columnheader';
}

function tagRole(el, tag) {
  switch (tag) {
    case 'a':
    case 'area':
      return has(el, 'href') ? 'link' : null;
    case 'footer':
      return enclosing(el, SECTIONS) ? null : 'contentinfo';
    case 'header':
      return enclosing(el, SECTIONS) ? null : 'banner';
    case 'form':
      return labelled(el) ? 'form' : null;
    case 'section':
      return labelled(el) ? 'region' : null;
    case 'img':
      return attribute(el, 'alt') === '' && !titleAttribute(el) && !explained(el, null) && !tabbed(el) ? 'presentation' : 'img';
    case 'input': {
      const type = el.type;
      if (type === 'hidden') return null;
      const role = INPUT_ROLES[type] ?? 'textbox';
      return el.list && (type === 'search' || role === 'textbox') ? 'combobox' : role;
    }
    case 'select':
      return el.multiple || el.size > 1 ? 'listbox' : 'combobox';
    case 'td': {
      const table = enclosing(el, 'table');
      const grid = table && explicitRole(table);
      return grid === 'grid' || grid === 'treegrid' ? 'gridcell' : 'cell';
    }
    case 'th':
      return headerRole(el);
  }
  return TAG_ROLES[tag] ?? null;
}

function explicitRole(el) {
  const given = marked(el) ? attribute(el, 'role') : null;
  return given === null ? null : (given.toLowerCase().split(/\s+/).find((role) => EXPLICIT.has(role)) ?? null);
}

const tabbed = (el) => marked(el) && has(el, 'tabindex') && !Number.isNaN(Number(attribute(el, 'tabindex')));
const explained = (el, role) =>
  marked(el) &&
  (GLOBAL_STATES.some((name) => has(el, name)) ||
    (labelled(el) && !UNNAMED.has(role)) ||
    (has(el, 'aria-roledescription') && role !== 'generic'));

function focusable(el) {
  if (tabbed(el)) return true;
  switch (tagOf(el)) {
    case 'button':
    case 'details':
    case 'select':
    case 'textarea':
      return !matches(el, ':disabled');
    case 'input':
      return !el.hidden && !el.disabled;
    case 'a':
    case 'area':
      return has(el, 'href');
  }
  return false;
}

function implicitRole(el) {
  const tag = tagOf(el);
  const role = tagRole(el, tag);
  if (role === null) return null;
  for (let part = el, parent; PARTS[tagOf(part)]; part = parent) {
    parent = scopeParentOf(part);
    if (!parent || !PARTS[tagOf(part)].includes(tagOf(parent))) break;
    const given = explicitRole(parent);
    if ((given === 'none' || given === 'presentation') && !explained(parent, given) && !focusable(parent)) return given;
  }
  return role;
}

function computedRole(el) {
  const given = explicitRole(el);
  if (given === null) return implicitRole(el);
  if (given !== 'none' && given !== 'presentation') return given;
  // What can be focused or says something of itself is not for show only.
  const role = implicitRole(el);
  return explained(el, role) || focusable(el) ? role : given;
}
