// The accessibility tree as a flat list, in document order, each entry with a ref that `resolve` takes while the element is there.
const MASK = '••••••••';
const CHECKED = words('checkbox menuitemcheckbox menuitemradio option radio switch treeitem');
const SELECTED = words('columnheader gridcell option row rowheader tab treeitem');
const EXPANDED = words(
  'application button checkbox columnheader combobox gridcell link listbox menuitem menuitemcheckbox menuitemradio row rowheader switch tab ' +
    'treeitem',
);
const DISABLED = words(
  'application button checkbox columnheader combobox grid gridcell group link listbox menu menubar menuitem menuitemcheckbox menuitemradio ' +
    'option radio radiogroup row rowheader scrollbar searchbox separator slider spinbutton switch tab tablist textbox toolbar tree treegrid ' +
    'treeitem',
);
const LEVELS = words('heading listitem row treeitem');

const secret = (el) => tagOf(el) === 'input' && (el.type === 'password' || /password/.test(el.autocomplete));
const said = (el) => attribute(el, 'aria-valuetext') ?? attribute(el, 'aria-valuenow') ?? undefined;

function valueOf(el, role, tag) {
  if (tag === 'input' && !/^(checkbox|radio|file|button|submit|reset|image)$/.test(el.type)) return secret(el) && el.value ? MASK : el.value;
  if (tag === 'textarea') return el.value;
  if (tag === 'select') return joinedNames([...el.selectedOptions].map((one) => squeeze(one.label)));
  switch (role) {
    case 'textbox':
    case 'searchbox':
      return squeeze(el.innerText ?? '');
    case 'combobox':
      return said(el) ?? (embedded(el, role, { seen: new Set() }) || undefined);
    case 'progressbar':
    case 'meter':
      if (tag === 'progress' || tag === 'meter') return has(el, 'value') ? String(el.value) : undefined;
    // falls through
    case 'slider':
    case 'spinbutton':
    case 'scrollbar':
      return said(el);
  }
  return undefined;
}

const tristate = (text) => ({ true: true, false: false, mixed: 'mixed' })[text?.toLowerCase()];
const twostate = (text) => ({ true: true, false: false })[text?.toLowerCase()];

// A node: `more` is what there is to say beside role, name and depth, of most nothing.
function entry(el, role, depth) {
  const tag = tagOf(el);
  const node = { of: el, among: state.numbers.own, role, name: nameOf(el), depth, more: null };
  const put = (key, value) => {
    if (value !== undefined) (node.more ??= {})[key] = value;
  };
  put('value', valueOf(el, role, tag)?.toWellFormed());
  if (CHECKED.has(role)) {
    const native = tag === 'input' && /^(checkbox|radio)$/.test(el.type);
    put('checked', native ? (el.indeterminate ? 'mixed' : el.checked) : tristate(attribute(el, 'aria-checked')));
  }
  if (SELECTED.has(role)) put('selected', tag === 'option' ? el.selected || undefined : twostate(attribute(el, 'aria-selected')));
  if (EXPANDED.has(role)) put('expanded', tag === 'summary' ? el.parentElement?.open : twostate(attribute(el, 'aria-expanded')));
  if (role === 'button') put('pressed', tristate(attribute(el, 'aria-pressed')));
  if (LEVELS.has(role)) put('level', /^h[1-6]$/.test(tag) ? Number(tag[1]) : Number(attribute(el, 'aria-level')) || undefined);
  if (memo.disabled.has(el) && DISABLED.has(role)) put('disabled', true);
  return node;
}

// What ARIA has no role for, and a hand has a use for all the same.
function handRole(el, tag) {
  if (tag === 'summary') return tagOf(parentElementOf(el) ?? el) === 'details' ? 'button' : null;
  return editable(el) && !editable(parentElementOf(el) ?? document) ? 'textbox' : null;
}

// A node as one line: most have no more than a role, a depth and a name, in which squeezing has left neither tabs nor line ends. As JSON a large
// tree would be three times as long, and its way to the agent takes as long as the reading. A number stands in front where it is not
// the one after the line before's.
const row = ({ role, depth, name, more }, number, before) =>
  `${number === before + 1 ? '' : `${number}\t`}${role}\t${depth}\t${name}${more ? `\t${JSON.stringify(more)}` : ''}`;

// `first` and what follows it are numbers that no node of the session has had yet.
function tree({ interactive, depth: limit, first }) {
  state.next = first;
  const nodes = [];
  const moved = query(document, '[aria-owns]') ? new Set() : null;
  let pending = '';
  let pendingFor = null; // the node that the text begins with, and which of its texts that is
  let pendingAmong = null;

  const flush = (depth) => {
    const text = pendingFor && squeeze(pending);
    if (text && !interactive && (limit < 0 || depth <= limit) && nodes.length < MAX_REFS) {
      nodes.push({ of: pendingFor, among: pendingAmong, role: 'StaticText', name: text.toWellFormed(), depth, more: null });
    }
    pending = '';
    pendingFor = null;
  };
  const say = (node, among, text) => {
    if (pendingFor === null && text.trim()) {
      pendingFor = node;
      pendingAmong = among;
    }
    pending += text;
  };

  const walkInto = (el, depth, silent) => {
    const before = generated(el, '::before');
    if (before) say(el, state.numbers.before, before);
    eachWithin(el, (child) => {
      const type = typeOf(child);
      if (type === Node.TEXT_NODE) {
        if (!silent && !unshown(child)) say(child, state.numbers.own, child.data);
      } else if (type === Node.ELEMENT_NODE) {
        walk(child, depth);
      }
    });
    for (const one of moved ? byIds(el, 'aria-owns') : []) walk(one, depth);
    const after = generated(el, '::after');
    if (after) say(el, state.numbers.after, after);
  };

  // An element that is no node of the tree: its content belongs to the node around it.
  const pass = (el, depth, silent) => {
    const space = apart(el) ? ' ' : '';
    pending += space;
    walkInto(el, depth, silent);
    pending += space;
  };

  const walk = (el, depth) => {
    if (nodes.length >= MAX_REFS) return;
    if (moved) {
      if (moved.has(el)) return;
      moved.add(el);
    }
    const away = concealed(el);
    factsOf(el).hidden = away;
    if (away) {
      // What is invisible by style alone may have visible content.
      if (!UNRENDERED.has(tagOf(el)) && !silenced(el) && displayOf(el) !== 'none' && styleOf(el).visibility !== 'visible') pass(el, depth, true);
      return;
    }
    const tag = tagOf(el);
    const role = roleOf(el) ?? handRole(el, tag);
    if (role === null || role === 'presentation' || role === 'none') {
      pass(el, depth, false);
      return;
    }
    flush(depth);
    const listed = (limit < 0 || depth <= limit) && (!interactive || INTERACTIVE.has(role));
    const node = listed ? entry(el, role, depth) : null;
    if (node) nodes.push(node);
    const before = nodes.length;
    const below = interactive && !listed ? depth : depth + 1;
    if (tag === 'iframe' || tag === 'frame') {
      const inner = documentIn(el);
      if (inner && bodyOf(inner)) {
        enter(inner);
        walk(bodyOf(inner), below);
      }
    } else if (role !== 'textbox' && role !== 'searchbox' && tag !== 'option') {
      walkInto(el, below, false);
    }
    flush(below);
    // A name that is its content's text would only be said twice.
    if (node && nodes.length === before + 1 && nodes[before].role === 'StaticText' && nodes[before].name === node.name) {
      nodes.pop();
    }
  };

  remembering(() => {
    enter(document);
    if (bodyOf(document)) walk(bodyOf(document), 0);
    flush(0);
  });
  for (let root = document, el; root && (el = activeIn(root)); root = shadowOf(el) ?? documentIn(el)) focusedIn(nodes, el);
  const given = nodes.map((one) => numberOf(one.of, one.among));
  sweepRefs(given);
  const head = JSON.stringify({ url: location.href, title: titleOf(document).toWellFormed() });
  return [state.next, head, ...nodes.map((one, index) => row(one, given[index], given[index - 1]))].join('\n');
}

const elementAt = (node) => (typeOf(node) === Node.TEXT_NODE ? scopeParentOf(node) : node);
function focusedIn(nodes, el) {
  const node = el === bodyOf(document) ? null : nodes.find((one) => elementAt(one.of) === el);
  if (node) (node.more ??= {}).focused = true;
}
