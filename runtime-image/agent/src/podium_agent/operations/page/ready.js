// Make an element ready for a person's hand: in view, visible, enabled, still, and not covered.
const frame = () => new Promise((done) => requestAnimationFrame(() => done()));
// How to scroll while something lies over the element: a header that sticks covers one edge, rarely all of them.
const ALIGNMENTS = ['center', 'end', 'start'];

function topmost(x, y) {
  let root = document;
  let el = null;
  for (;;) {
    const hit = root.elementFromPoint(x, y);
    if (!hit || hit === el) return el;
    el = hit;
    const inner = documentIn(el);
    const shadow = shadowOf(el);
    if (inner) {
      const own = offsetOf(defaultViewOf(inner));
      const outer = offsetOf(viewOf(el));
      x -= own.x - outer.x;
      y -= own.y - outer.y;
      root = inner;
    } else if (shadow && shadow !== root) {
      root = shadow;
    } else {
      return el;
    }
  }
}

function receives(el, hit) {
  const label = closest(el, 'label');
  for (let one = hit; one; one = parentOf(one)) {
    if (one === el || (label && one === label)) return true;
    if (tagOf(one) === 'label' && one.control === el) return true;
  }
  return false;
}

// Where a hand may take hold: the middle of what can be seen of it. An inline element's lines count one by one, since the middle of all
// of them may be beside its text.
function* handles(el) {
  const offset = offsetOf(viewOf(el));
  const boxes = [...rectsOf(el)].filter((one) => one.width > 0 && one.height > 0);
  if (!boxes.length) boxes.push(rectOf(el));
  for (const box of boxes.slice(0, 10)) {
    const left = Math.max(box.left + offset.x, 0);
    const top = Math.max(box.top + offset.y, 0);
    const right = Math.min(box.right + offset.x, innerWidth);
    const bottom = Math.min(box.bottom + offset.y, innerHeight);
    if (right - left >= 1 && bottom - top >= 1) yield { x: (left + right) / 2, y: (top + bottom) / 2 };
  }
}

function scrollTo(el, alignment) {
  el.scrollIntoView({ block: alignment, inline: alignment === 'center' ? 'center' : 'nearest', behavior: 'instant' });
}

const SIDES = ['x', 'y', 'width', 'height'];

async function ready(target, { limit, hit = true, enabled = true, retarget = (el) => el }) {
  const until = performance.now() + limit;
  let last = null;
  let tries = 0;
  for (;;) {
    const el = retarget(resolve(target)); // throws at once: what is not there is not waited for
    let why = null;
    let box = null;
    if (!visible(el)) why = 'is not visible';
    else if (enabled && disabled(el)) why = 'is disabled';
    else {
      box = boxOf(el);
      const inView = box.x >= 0 && box.y >= 0 && box.x + box.width <= innerWidth && box.y + box.height <= innerHeight;
      if (!inView && tries === 0) {
        scrollTo(el, ALIGNMENTS[tries++]);
        box = boxOf(el);
      }
      if (!last || last.el !== el || SIDES.some((side) => last[side] !== box[side])) why = 'is still moving';
      else if (!hit) return { el };
      else {
        let cover = null;
        for (const at of handles(el)) {
          const top = topmost(at.x, at.y);
          if (top && receives(el, top)) return { el, ...at };
          cover ??= top;
        }
        why = cover ? `is covered by ${describe(cover)}` : 'cannot be scrolled into view';
        if (tries <= ALIGNMENTS.length) scrollTo(el, ALIGNMENTS[tries++ % ALIGNMENTS.length]);
        box = boxOf(el);
      }
    }
    if (performance.now() >= until) {
      throw new Refusal('element_not_usable', `${describe(el)} ${why}, after ${(limit / 1000).toFixed(1)} s of waiting`);
    }
    last = box && { el, ...box };
    await frame();
  }
}
