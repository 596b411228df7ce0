// Make an element ready for a person's hand: in view, visible, enabled, still, and not covered.
const frame = () => new Promise((done) => requestAnimationFrame(() => done()));

function topmost(x, y) {
  let root = document;
  let el = root.elementFromPoint(x, y);
  while (el) {
    let inner = null;
    if (el.shadowRoot && el.shadowRoot !== root) {
      inner = el.shadowRoot.elementFromPoint(x, y);
      root = el.shadowRoot;
    } else if ((el.localName === 'iframe' || el.localName === 'frame') && el.contentDocument) {
      const box = el.getBoundingClientRect();
      x -= box.left + el.clientLeft;
      y -= box.top + el.clientTop;
      root = el.contentDocument;
      inner = root.elementFromPoint(x, y);
    }
    if (!inner || inner === el) return el;
    el = inner;
  }
  return el;
}

function receives(el, hit) {
  const label = el.closest?.('label');
  for (let one = hit; one; one = parentOf(one)) {
    if (one === el || one === label) return true;
    if (one.localName === 'label' && one.control === el) return true;
  }
  return false;
}

function center(el) {
  // The first line box of an inline element: the middle of its whole rectangle may be beside its text.
  const [box] = [...el.getClientRects()].filter((one) => one.width > 0 && one.height > 0);
  const offset = offsetOf(viewOf(el));
  return { x: box.left + box.width / 2 + offset.x, y: box.top + box.height / 2 + offset.y };
}

function scrollTo(el) {
  const options = { block: 'center', inline: 'center', behavior: 'instant' };
  const box = boxOf(el);
  const inView = box.x >= 0 && box.y >= 0 && box.x + box.width <= innerWidth && box.y + box.height <= innerHeight;
  if (!inView) {
    el.scrollIntoView(options);
    for (let one = viewOf(el).frameElement; one; one = viewOf(one).frameElement) one.scrollIntoView({ ...options, block: 'nearest' });
  }
}

async function ready(target, { limit, hit = true, enabled = true, scroll = true }) {
  const until = performance.now() + limit;
  let why = '';
  let last = null;
  for (;;) {
    const el = resolve(target); // throws at once: what is not there is not waited for
    const refuse = (text) => {
      why = `${describe(el)} ${text}`;
      last = null;
    };
    if (!visible(el)) refuse('is not visible');
    else if (enabled && disabled(el)) refuse('is disabled');
    else {
      if (scroll) scrollTo(el);
      const box = boxOf(el);
      const still = last && last.el === el && ['x', 'y', 'width', 'height'].every((side) => last[side] === box[side]);
      if (!still) {
        why = `${describe(el)} is still moving`;
        last = { el, ...box };
      } else {
        const point = center(el);
        const top = hit ? topmost(point.x, point.y) : el;
        if (!hit || (top && receives(el, top))) return { el, ...point };
        if (top) why = `${describe(el)} is covered by ${describe(top)}`;
        else why = `${describe(el)} cannot be scrolled into view`;
      }
    }
    if (performance.now() >= until) throw new Refusal('element_not_usable', `${why}, after ${limit / 1000} s of waiting`);
    await frame();
  }
}

async function point({ target, limit }) {
  const { x, y } = await ready(target, { limit });
  return { x, y };
}

async function focus({ target, limit }) {
  const { el } = await ready(target, { limit, hit: false });
  el.focus({ preventScroll: true });
  const root = el.getRootNode();
  if (root.activeElement !== el && !el.contains(root.activeElement)) {
    throw new Refusal('element_not_usable', `${describe(el)} does not take the focus`);
  }
  return {};
}

const TYPED_AS_VALUE = new Set(['date', 'datetime-local', 'month', 'time', 'week', 'color', 'range']);

function setValue(el, value) {
  // The prototype's setter: a framework that watches its own would take the change for its own doing.
  const setter = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(el), 'value')?.set;
  if (setter) setter.call(el, value);
  else el.value = value;
  el.dispatchEvent(new Event('input', { bubbles: true, composed: true }));
  el.dispatchEvent(new Event('change', { bubbles: true }));
}

// Focus and select everything; the text itself is then put in as a person's keyboard would. `done` when that was not needed.
async function fill({ target, text, limit }) {
  const { el } = await ready(target, { limit, hit: false });
  const editable = el.isContentEditable || el.localName === 'textarea' || el.localName === 'input';
  if (!editable || (el.localName === 'input' && ['checkbox', 'radio', 'file', 'button', 'submit', 'reset', 'image'].includes(el.type))) {
    throw new Refusal('element_not_usable', `${describe(el)} is not a field that can be filled`);
  }
  if (el.readOnly) throw new Refusal('element_not_usable', `${describe(el)} is read-only`);
  el.focus({ preventScroll: true });
  if (el.localName === 'input' && TYPED_AS_VALUE.has(el.type)) {
    setValue(el, text);
    if (el.value !== text.trim().toLowerCase() && el.value !== text.trim()) {
      throw new Refusal('element_not_usable', `${describe(el)} of type ${el.type} does not take ${JSON.stringify(text.slice(0, 100))}`);
    }
    return { done: true };
  }
  if (el.isContentEditable) {
    const range = el.ownerDocument.createRange();
    range.selectNodeContents(el);
    const selection = viewOf(el).getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
  } else {
    el.select();
  }
  return { done: false };
}

async function select({ target, value, limit }) {
  const { el } = await ready(target, { limit, hit: false });
  const list = el.localName === 'option' ? el.closest('select') : el;
  if (list?.localName !== 'select') throw new Refusal('element_not_usable', `${describe(el)} is not a list to choose from`);
  const options = [...list.options];
  const wanted = options.find((one) => one.value === value) ?? options.find((one) => squeeze(one.label) === squeeze(value));
  if (!wanted) throw new Refusal('element_not_usable', `${describe(list)} has no option ${JSON.stringify(value.slice(0, 100))}`);
  if (wanted.matches(':disabled')) throw new Refusal('element_not_usable', `the option ${JSON.stringify(value.slice(0, 100))} is disabled`);
  list.focus({ preventScroll: true });
  if (list.multiple) wanted.selected = true;
  else list.selectedIndex = wanted.index;
  list.dispatchEvent(new Event('input', { bubbles: true, composed: true }));
  list.dispatchEvent(new Event('change', { bubbles: true }));
  return {};
}

async function scroll({ target, by, limit }) {
  if (target !== null) {
    await ready(target, { limit, hit: false, enabled: false });
  }
  if (by !== null) {
    const page = document.scrollingElement ?? document.documentElement;
    let box = page;
    if (target !== null) {
      for (box = resolve(target); box && box.scrollHeight <= box.clientHeight; ) box = parentOf(box);
      box ??= page;
    } else if (page.scrollHeight <= innerHeight) {
      // An application that scrolls inside a box of its own: the one in the middle of the view.
      for (let one = topmost(innerWidth / 2, innerHeight / 2); one; one = parentOf(one)) {
        if (one.scrollHeight > one.clientHeight && /auto|scroll/.test(styleOf(one).overflowY)) {
          box = one;
          break;
        }
      }
    }
    box.scrollBy({ top: by, behavior: 'instant' });
  }
  return {};
}

async function area({ target, limit }) {
  const { el } = await ready(target, { limit, hit: false, enabled: false });
  const box = boxOf(el);
  return { x: box.x + scrollX, y: box.y + scrollY, width: box.width, height: box.height };
}
