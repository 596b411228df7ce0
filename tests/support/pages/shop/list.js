// Filter at once, tell the shop what is looked at, and load more of the list when its end comes into view.
const address = new URLSearchParams(location.search);
const filter = document.querySelector("select");
filter.value = address.get("category") ?? "";
filter.addEventListener("change", () => filter.form.requestSubmit());

document.querySelector("#products").addEventListener("mouseover", (event) => {
  const item = event.target.closest("li");
  if (item && !item.dataset.seen) {
    item.dataset.seen = "yes";
    navigator.sendBeacon(`/shop/looked/${item.dataset.product}`);
  }
});

const sizes = document.querySelector("#sizes");
document.querySelector("#guide").addEventListener("click", () => sizes.showModal());
document.querySelector("#understood").addEventListener("click", () => sizes.close());

const end = document.querySelector("#end");
let page = 1;
new IntersectionObserver(async (entries, observer) => {
  if (!entries.some((entry) => entry.isIntersecting)) return;
  address.set("page", ++page);
  const more = await (await fetch(`/shop/more?${address}`)).text();
  document.querySelector("#products").insertAdjacentHTML("beforeend", more);
  console.log(`page ${page} of the list`);
  if (more.split("<li").length <= 12) {
    observer.disconnect();
    end.textContent = "That was all";
  }
}).observe(end);
