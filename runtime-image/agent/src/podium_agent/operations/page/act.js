// What an action does in the page before its input events are sent, or instead of them.
const UNTYPED = words('checkbox radio file button submit reset image hidden');
const TYPED_AS_VALUE = words('date datetime-local month time week color range');

const refuse = (el, text) => {
  throw new Refusal('element_not_usable', `${describe(el)} ${text}`);
};
const fieldOf = (el) => (tagOf(el) === 'label' && el.control ? el.control : el);
const behind = () => visibilityOf(document) !== 'visible' || !focused(document);

// Where the element was when it was looked at is where the hand goes; what is there when it arrives, only the event knows. A press on
// anything else is kept from the page, with all that follows of it, and the agent looks for the element again.
let aim = null;
const PRESS = ['pointerdown', 'mousedown', 'pointerup', 'mouseup', 'click', 'dblclick'];
const MOVE = ['pointermove', 'mousemove'];

function aimAt(el, { x, y, click, limit }) {
  aim?.end();
  const types = click ? PRESS : MOVE;
  const until = performance.now() + limit + 1000;
  const windows = [viewOf(el)];
  while (windows[0].frameElement) windows.unshift(viewOf(windows[0].frameElement));
  const judge = (event) => {
    if (!event.isTrusted || performance.now() > until) return;
    if (mine.missed === null) {
      // Another hand's event is not ours to judge: ours is in our place.
      const offset = offsetOf(windows.find((one) => one === event.view) ?? window);
      if (!types.slice(0, 2).includes(event.type) || Math.abs(event.clientX + offset.x - x) > 1 || Math.abs(event.clientY + offset.y - y) > 1) return;
      const hit = event.composedPath()[0];
      mine.missed = typeOf(hit) === Node.ELEMENT_NODE && !receives(el, hit);
      if (!mine.missed) mine.end();
    }
    if (mine.missed && click) {
      event.preventDefault();
      event.stopImmediatePropagation();
      if (event.type === 'mouseup') setTimeout(mine.end); // a click comes in the same task
    }
  };
  const mine = {
    missed: null,
    end: () => windows.forEach((one) => types.forEach((type) => one.removeEventListener(type, judge, true))),
  };
  windows.forEach((one) => types.forEach((type) => one.addEventListener(type, judge, true)));
  aim = mine;
}

// Whether the last hand came down beside its element. One whose event nobody saw went to a frame that this world may not look into.
function missed() {
  aim?.end();
  return aim?.missed === true;
}

async function point({ target, limit, spent, click }) {
  const { el, x, y } = await ready(target, { limit, spent });
  aimAt(el, { x, y, click, limit });
  return { x, y, element: introduced(el) };
}

// What a page's own handlers may make a caller's order of is done in a call of its own: the way to it may be gone again in the next
// document, the deed itself may not.
let deed = null;
const later = (what) => {
  deed = what;
  return { waits: true };
};
function proceed() {
  const now = deed;
  deed = null;
  return now();
}

// What is under a point, or has the focus: where input goes that names no element.
function none({ x, y, focused }) {
  let el = x == null ? null : topmost(x, y);
  if (focused) for (let root = document, one; root && (one = activeIn(root)); root = shadowOf(one) ?? documentIn(one)) el = one;
  return { element: el && introduced(el) };
}

// The element that holds the caret while this one is edited.
function hostOfEditing(el) {
  let host = el;
  while (editable(parentElementOf(host) ?? document)) host = parentElementOf(host);
  return host;
}

function take(el) {
  const holder = editable(el) ? hostOfEditing(el) : el;
  if (typeof holder.focus === 'function') holder.focus({ preventScroll: true });
  const active = activeIn(rootOf(holder));
  if (active !== holder && !(active && contains(holder, active)) && !(active && shadowOf(holder) && active === holder)) {
    refuse(el, 'does not take the focus');
  }
}

async function focus({ target, typing, focused, limit }) {
  const { el } = await ready(target, { limit, hit: false, retarget: fieldOf });
  if (typing && el.readOnly === true) refuse(el, 'is read-only');
  const element = introduced(el);
  const taken = () => {
    take(el);
    return { element };
  };
  return focused ? taken() : later(taken); // keys that follow are the deed
}

function changed(el) {
  el.dispatchEvent(new Event('input', { bubbles: true, composed: true }));
  el.dispatchEvent(new Event('change', { bubbles: true }));
}

// Focus and select everything; the text itself is then put in as a person's keyboard would. `done` when that was not needed.
async function fill({ target, text, limit }) {
  const { el } = await ready(target, { limit, hit: false, retarget: fieldOf });
  const tag = tagOf(el);
  if (!(tag === 'input' ? !UNTYPED.has(el.type) : tag === 'textarea' || editable(el))) refuse(el, 'is not a field that can be filled');
  if (el.readOnly === true) refuse(el, 'is read-only');
  const element = introduced(el);
  const notTaken = () => refuse(el, `of type ${el.type} does not take ${quoted(text)}`);
  if (tag === 'input' && el.type === 'number' && text.trim() && !Number.isFinite(Number(text))) notTaken();
  if (tag === 'input' && TYPED_AS_VALUE.has(el.type)) {
    return later(() => {
      take(el);
      const before = el.value;
      // This world's own setter: a framework that watches the page's would take the change for its own doing.
      el.value = text.trim();
      if (el.value.toLowerCase() !== text.trim().toLowerCase()) {
        el.value = before;
        notTaken();
      }
      changed(el);
      return { done: true, element };
    });
  }
  take(el);
  if (tag === 'input' || tag === 'textarea') {
    el.select();
  } else {
    const range = rangeMade(documentOf(el));
    range.selectNodeContents(el);
    const selection = viewOf(el).getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
  }
  return { done: false, element };
}

const MAX_OPTIONS = 20;
function listed(options) {
  const texts = options.slice(0, MAX_OPTIONS).map((one) => quoted(squeeze(one.label) || one.value));
  const more = options.length - texts.length;
  return texts.length ? `it has ${texts.join(', ')}${more ? ` and ${more} more` : ''}` : 'it has none';
}

async function select({ target, value, limit }) {
  const { el } = await ready(target, { limit, hit: false, retarget: (one) => (tagOf(one) === 'option' && closest(one, 'select')) || fieldOf(one) });
  if (tagOf(el) !== 'select') refuse(el, 'is not a list to choose from');
  const options = [...el.options];
  const wanted = options.find((one) => one.value === value) ?? options.find((one) => squeeze(one.label) === squeeze(value));
  if (!wanted) refuse(el, `has no option ${quoted(value)}; ${listed(options)}`);
  if (wanted.disabled || closest(wanted, 'optgroup:disabled')) refuse(el, `has the option ${quoted(value)}, but it is disabled`);
  const element = introduced(el);
  return later(() => {
    take(el);
    if (el.multiple) wanted.selected = true;
    else el.selectedIndex = wanted.index;
    changed(el);
    return { element };
  });
}

const scrolls = (el) => el.scrollHeight > el.clientHeight && /auto|scroll|overlay/.test(styleOf(el).overflowY);

function scroller(target) {
  const page = scrollingIn(document) ?? elementOf(document);
  // A page that does not scroll may do so inside a box of its own: the one in the middle of the view.
  const inside = !page || page.scrollHeight > innerHeight ? null : topmost(innerWidth / 2, innerHeight / 2);
  let box = target === null ? inside : resolve(target);
  while (box && !scrolls(box)) box = parentOf(box);
  return box ?? page;
}

async function scroll({ target, by, limit }) {
  const { el } = target === null ? { el: null } : await ready(target, { limit, hit: false, enabled: false, reveal: by === null });
  const element = el && introduced(el);
  return later(async () => {
    if (by !== null) scroller(target)?.scrollBy({ top: by, behavior: 'instant' });
    await frame(); // the page hears of it with the next frame
    return { element };
  });
}

// The element's rectangle in the document, in whole pixels, and whether all of it can be seen now.
async function area({ target, limit }) {
  const { el } = await ready(target, { limit, hit: false, enabled: false });
  const box = boxOf(el);
  const [x, y] = [Math.floor(box.x), Math.floor(box.y)];
  const [width, height] = [Math.ceil(box.x + box.width) - x, Math.ceil(box.y + box.height) - y];
  const fits = x >= 0 && y >= 0 && x + width <= innerWidth && y + height <= innerHeight;
  return { clip: { x: x + Math.floor(scrollX), y: y + Math.floor(scrollY), width, height }, fits };
}
