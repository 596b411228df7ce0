// The name of one element, and the text that it lends to the names of others.
//
// `how`: `seen`; `self` for the element that is named, `inside` for what it contains; `label`, `reference` and `native` while another
// element's text is read for it; `unhidden` when that one is hidden, so that its hidden content counts.
const SVG = 'http://www.w3.org/2000/svg';
const joinedNames = (texts) => texts.filter((text) => text).join(' ');

function nameOf(el) {
  if (UNNAMED.has(roleOf(el))) return '';
  return squeeze(alternative(el, { seen: new Set(), self: true })).toWellFormed();
}

function fromLabels(el, how) {
  const { seen } = how;
  return joinedNames([...(el.labels ?? [])].map((label) => alternative(label, { seen, label: true, unhidden: hidden(label) })));
}

function fromChild(el, tag, how) {
  for (let child = firstElementOf(el); child; child = nextElementOf(child)) {
    if (tagOf(child) === tag) return alternative(child, { ...how, native: true, unhidden: how.unhidden || hidden(child) });
  }
  return null;
}

function alternative(el, how) {
  const { seen } = how;
  if (seen.has(el)) return '';
  if (!how.unhidden && hidden(el)) {
    seen.add(el);
    return '';
  }
  const references = byIds(el, 'aria-labelledby');
  if (references.length && !how.reference) {
    const text = joinedNames(references.map((one) => alternative(one, { seen, reference: true, unhidden: hidden(one) })));
    if (text) return text;
  }
  const role = roleOf(el) ?? '';
  const below = how.self ? { ...how, self: false, inside: true } : how;
  if ((how.label || how.reference || how.inside) && !references.includes(el)) {
    const value = embedded(el, role, below);
    if (value !== null) {
      seen.add(el);
      return value;
    }
  }
  const label = marked(el) ? (attribute(el, 'aria-label') ?? '') : '';
  if (label.trim()) {
    seen.add(el);
    return label;
  }
  const plain = role === 'presentation' || role === 'none';
  seen.add(el); // before its labels, which may be around it
  if (!plain) {
    const native = nativeName(el, tagOf(el), how, below, references.length > 0);
    if (native !== null) return native;
  }
  const inContent = NAMED_BY_CONTENT.has(role) || (how.inside && (role === '' || PASSES_CONTENT.has(role)));
  if (inContent || (tagOf(el) === 'summary' && !plain) || how.reference || how.label || how.native) {
    const text = joined(el, below);
    if (how.self ? text.trim() : text) return text;
  }
  const title = plain && tagOf(el) !== 'iframe' ? '' : titleAttribute(el);
  return title.trim() ? title : '';
}

// A field inside a name gives what it holds; a password field gives nothing.
function embedded(el, role, how) {
  const tag = tagOf(el);
  if (role === 'textbox' || role === 'searchbox') return secret(el) ? '' : tag === 'input' || tag === 'textarea' ? el.value : textOf(el);
  if (role === 'combobox' || role === 'listbox') {
    if (tag === 'select') {
      const chosen = el.selectedOptions.length ? [...el.selectedOptions] : [...el.options].slice(0, 1);
      return joinedNames(chosen.map((option) => alternative(option, how)));
    }
    const list = role === 'listbox' ? el : owned(el, '*').find((one) => roleOf(one) === 'listbox');
    const chosen = list ? owned(list, '[aria-selected="true" i]').filter((one) => roleOf(one) === 'option') : [];
    if (!chosen.length && tag === 'input') return el.value;
    return joinedNames(chosen.map((option) => alternative(option, how)));
  }
  if (RANGES.has(role)) return attribute(el, 'aria-valuetext') ?? attribute(el, 'aria-valuenow') ?? attribute(el, 'value') ?? '';
  return role === 'menu' ? '' : null;
}

const owned = (el, selector) => [el, ...byIds(el, 'aria-owns')].flatMap((root, index) => [
  ...(index && matches(root, selector) ? [root] : []),
  ...queryAll(root, selector),
]);

// The name that HTML itself gives; null where it gives none and the content may.
function nativeName(el, tag, how, below, referenced) {
  const title = () => titleAttribute(el);
  const first = (...texts) => texts.find((text) => text.trim()) ?? '';
  switch (tag) {
    case 'input':
      switch (el.type) {
        case 'button':
        case 'submit':
        case 'reset':
          return first(el.value, { submit: 'Submit', reset: 'Reset' }[el.type] ?? title());
        case 'file':
          return el.labels?.length && !how.reference ? fromLabels(el, how) : 'Choose File';
        case 'image':
          return el.labels?.length && !how.reference ? fromLabels(el, how) : first(attribute(el, 'alt') ?? '', title(), 'Submit');
      }
      if (referenced) return null;
      if (el.labels?.length) return fromLabels(el, how);
      return title() || (/^(text|password|number|search|tel|email|url)$/.test(el.type) ? (attribute(el, 'placeholder') ?? '') : '');
    case 'textarea':
      if (referenced) return null;
      return el.labels.length ? fromLabels(el, how) : title() || (attribute(el, 'placeholder') ?? '');
    case 'select':
    case 'meter':
    case 'progress':
    case 'output':
      if (referenced) return null;
      return el.labels.length ? fromLabels(el, how) : title();
    case 'button':
      return !referenced && el.labels.length ? fromLabels(el, how) : null;
    case 'fieldset':
      return referenced ? null : (fromChild(el, 'legend', below) ?? title());
    case 'figure':
      return referenced ? null : (fromChild(el, 'figcaption', below) ?? title());
    case 'img':
    case 'area':
      return first(attribute(el, 'alt') ?? '', title());
    case 'table':
      return fromChild(el, 'caption', below) ?? (attribute(el, 'summary') || null);
    case 'optgroup':
      return attribute(el, 'label');
    case 'option':
      return attribute(el, 'label') || null;
  }
  if (namespaceOf(el) === SVG) return fromChild(el, 'title', { ...below, reference: true });
  return null;
}
