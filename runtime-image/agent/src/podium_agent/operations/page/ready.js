// Make an element ready for a person's hand: in view, visible, enabled, still, and not covered.
const frame = () => new Promise((done) => requestAnimationFrame(() => done()));
// How to scroll while something lies over the element: a header that sticks covers one edge, rarely all of them.
const ALIGNMENTS = ['center', 'end', 'start'];

// The picture that an area is a part of, and where on it; areas have no boxes of their own.
function pictureWith(area) {
  const map = closest(area, 'map');
  return map && [...queryAll(rootOf(area), 'img[usemap]')].find((img) => img.useMap === `#${map.name}`);
}

function spotOf(area) {
  const box = rectOf(pictureWith(area));
  const numbers = area.coords.split(',').map(Number);
  if (area.shape === 'default' || numbers.length < 3 || numbers.some(Number.isNaN)) return box;
  const [x, y, radius] = numbers;
  if (area.shape === 'circle') return new DOMRect(box.x + x - radius, box.y + y - radius, 2 * radius, 2 * radius);
  const across = numbers.filter((_, index) => index % 2 === 0);
  const down = numbers.filter((_, index) => index % 2 === 1);
  const [left, top] = [Math.min(...across), Math.min(...down)];
  return new DOMRect(box.x + left, box.y + top, Math.max(...across) - left, Math.max(...down) - top);
}

function topmost(x, y) {
  let root = document;
  let el = null;
  for (;;) {
    const hit = pointIn(root, x, y);
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
  const boxes = tagOf(el) === 'area' ? [spotOf(el)] : [...rectsOf(el)].filter((one) => one.width > 0 && one.height > 0);
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

// Why an element cannot be seen, as far as it can be told.
function unseen(el) {
  for (let one = el; one; one = parentOf(one)) {
    const tag = tagOf(one);
    const where = one === el ? 'it is' : 'it is inside';
    if (tag === 'dialog' && !one.open) return `${where} ${one === el ? 'a dialog that is closed' : `the closed dialog ${describe(one)}`}`;
    if (tag === 'details' && !one.open && one !== el && !closest(el, 'summary')) return `it is inside the closed ${describe(one)}`;
    if (styleOf(one).display === 'none') return one === el ? 'it has display: none' : `it is inside ${describe(one)}, which has display: none`;
  }
  const { visibility } = styleOf(el);
  if (visibility !== 'visible') return `it has visibility: ${visibility}`;
  const box = rectOf(el);
  if (!box.width || !box.height) return `its size is ${Math.round(box.width)} x ${Math.round(box.height)}`;
  return 'its content is skipped by the page';
}

// An animation that has been ordered moves nothing until a frame of it is ready, and nothing in the few frames up to its start: an
// element that is in one place in two frames is at rest only if in neither of them such an animation was about to take it away.
const SOON = 100; // ms; what a page has planned for later is no reason to wait
const animationsOf = (el) =>
  animationsIn(documentOf(el))
    .filter((one) => one.effect?.target && contains(one.effect.target, el));
function starting(animations) {
  const soon = ({ startTime, timeline }) => startTime >= timeline?.currentTime && startTime - timeline.currentTime < SOON;
  return animations.some((one) => one.pending || soon(one));
}

// Nor is it at rest when what moves it has been set anew between the two: one that is begun again in each frame is as far in each.
const course = ({ playState, playbackRate, startTime, currentTime }) => `${playState} ${playbackRate} ${startTime ?? `at ${currentTime}`}`;
const coursesOf = (animations) => new Map(animations.map((one) => [one, course(one)]));
const kept = (before, now) => before.size === now.size && [...now].every(([one, how]) => before.get(one) === how);

const SIDES = ['x', 'y', 'width', 'height'];

async function ready(target, { limit, spent = 0, hit = true, enabled = true, reveal = true, retarget = (el) => el }) {
  const until = performance.now() + limit;
  let last = null;
  let tries = 0;
  for (;;) {
    const el = retarget(resolve(target)); // throws at once: what is not there is not waited for
    let why = null;
    let box = null;
    let starts = false;
    let courses = null;
    let moment = null;
    const seen = tagOf(el) === 'area' ? pictureWith(el) : el;
    if (!seen || !visible(seen)) why = 'is not visible';
    else if (enabled && disabled(el)) why = 'is disabled';
    else {
      box = boxOf(seen);
      const inView = box.x >= 0 && box.y >= 0 && box.x + box.width <= innerWidth && box.y + box.height <= innerHeight;
      if (reveal && !inView && tries === 0) {
        scrollTo(seen, ALIGNMENTS[tries++]);
        box = boxOf(seen);
      }
      const animations = animationsOf(seen);
      starts = starting(animations);
      courses = coursesOf(animations);
      // Two looks at the same moment of what moves say nothing: a machine that stalls draws two frames of one.
      moment = animations.length ? timelineOf(documentOf(seen)).currentTime : null;
      const again = moment !== null && last?.moment === moment;
      if (starts || again || !last || last.el !== el || SIDES.some((side) => last[side] !== box[side]) || !kept(last.courses, courses)) why = 'is still moving';
      else if (!hit) return { el };
      else {
        let cover = null;
        for (const at of handles(el)) {
          const top = topmost(at.x, at.y);
          if (top && receives(el, top)) return { el, ...at };
          cover ??= top;
        }
        why = cover ? `is covered by ${describe(cover)}` : 'cannot be scrolled into view';
        if (tries <= ALIGNMENTS.length) scrollTo(seen, ALIGNMENTS[tries++ % ALIGNMENTS.length]);
        box = boxOf(seen);
      }
    }
    if (performance.now() >= until) {
      if (why === 'is not visible' && seen) why += ` (${unseen(seen)})`;
      throw new Refusal('element_not_usable', `${describe(el)} ${why}, after ${((spent + limit) / 1000).toFixed(1)} s of waiting`);
    }
    last = box && !starts ? { el, courses, moment, ...box } : null;
    await frame();
  }
}
