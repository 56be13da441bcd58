/* The demo shop's own script: what a site adds around bespeak.js. It grants consent by itself, because this is a demo. */
(function () {
  "use strict";

  const { bespeak } = window;
  const { user, token, root, page, query, category, cart } = document.body.dataset;
  const said = document.getElementById("said");
  const panel = document.getElementById("peek");
  let saidTimer;

  const remembered = (name, otherwise) => JSON.parse(sessionStorage.getItem(name) || "null") || otherwise;
  const remember = (name, value) => sessionStorage.setItem(name, JSON.stringify(value));

  function say(words) {
    said.textContent = words;
    clearTimeout(saidTimer);
    saidTimer = setTimeout(() => (said.textContent = ""), 4000);
  }

  // -- who is here: another person is another device, so that people are never mixed
  if (remembered("demo_user", "") !== user) {
    bespeak.reset();
    remember("demo_cart", JSON.parse(cart));
    remember("demo_user", user);
  }
  let known = bespeak.consent({ personalize: true, measure: true, improve: true, share: false });
  if (user) {
    known = Promise.all([known, bespeak.identify(user, {}, token)]);
    setInterval(() => {
      fetch(`${root}/token`).then((reply) => reply.json()).then((fresh) => fresh.user && bespeak.identify(fresh.user, {}, fresh.token));
    }, 15 * 60 * 1000);
  }
  bespeak.page();

  const chooser = document.getElementById("user");
  chooser.addEventListener("change", () => chooser.form.requestSubmit());

  // -- the banner: decided once it is clear who is here, so that it does not change under their eyes
  const hero = document.getElementById("hero");
  if (hero) known.then(() => bespeak.slot(hero, hero.dataset.placement)).then((decision) => {
    if (!decision) return;
    const [{ propensity, reasons: [{ signal, text }] }] = decision.items;
    const why = signal === "average" ? `shown with a probability of ${Math.round(100 * propensity)} %, while it is learned which one works` : text;
    hero.querySelector("[data-hero-why]").textContent = `Why this banner: ${why}`;
  });

  // -- what the page is about
  const viewed = (line) => bespeak.track("Product Viewed", line);

  const product = (element) => JSON.parse(element.closest("[data-product]").dataset.product);
  if (page === "product") viewed(product(document.querySelector(".product")));
  if (page === "search" && query) bespeak.track("Products Searched", { query });
  if (page === "category") bespeak.track("Product List Viewed", { list_id: category, category });

  // -- rows: mark what came, and say it
  const held = new WeakMap(); // row -> ids it showed
  const news = [];
  let actedAt = 0;
  document.addEventListener("click", () => (actedAt = Date.now()), true);

  document.addEventListener("bespeak:filled", ({ target, detail }) => {
    const before = held.get(target);
    const ids = detail.items.map((item) => item.id);
    held.set(target, ids);
    const row = target.closest(".row");
    if (!row) return;
    row.hidden = false;
    const counts = new Map();
    for (const { properties } of detail.items) {
      const name = properties.attributes && properties.attributes.category;
      if (name) counts.set(name, (counts.get(name) || 0) + 1);
    }
    const mix = [...counts].sort((a, b) => b[1] - a[1]);
    row.querySelector("[data-mix]").textContent = mix.map(([name, n]) => `${name} ${n}`).join(" · ");
    if (Date.now() - actedAt > 5000) return; // a page that just opened has not moved
    const came = ids.filter((id) => !before || !before.includes(id));
    if (!came.length) return;
    setTimeout(() => came.forEach((id) => {
      const card = target.querySelector(`[data-item-id="${CSS.escape(id)}"]`);
      if (card) card.classList.add("came");
    }));
    if (!before) news.push(`New: “${detail.heading}”.`);
    else if (row === row.parentElement.firstElementChild) news.push(`The row moved: ${came.length} new, mostly ${mix[0] ? mix[0][0] : "mixed"} now.`);
    setTimeout(() => news.length && say(news.splice(0).join(" ")));
  });

  // -- a look at a product without leaving the page
  document.addEventListener("click", (event) => {
    const link = event.target.closest(".item a");
    if (!link || !("peek" in document.body.dataset) || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const card = link.closest("[data-item-id]");
    const id = card ? card.dataset.itemId : link.dataset.id;
    event.preventDefault();
    fetch(`${root}/peek/${encodeURIComponent(id)}`)
      .then((reply) => (reply.ok ? reply.text() : Promise.reject(new Error(reply.status))))
      .then((markup) => {
        panel.replaceChildren(...new DOMParser().parseFromString(markup, "text/html").body.children);
        panel.hidden = false;
        panel.focus({ preventScroll: true });
        viewed(product(panel.firstElementChild));
      })
      .catch(() => (location.href = link.href));
  });

  function close() {
    panel.hidden = true;
    const heading = document.querySelector(".row h2");
    if (heading) heading.focus({ preventScroll: true });
  }
  document.addEventListener("keydown", (event) => event.key === "Escape" && !panel.hidden && close());

  // -- cart and orders
  const lines = () => remembered("demo_cart", []);

  function drawCart() {
    const held = lines();
    document.querySelector("[data-cart-count]").textContent = held.length;
    document.querySelector("[data-cart-empty]").hidden = held.length > 0;
    document.querySelector("[data-act=order]").hidden = !held.length;
    document.querySelector("[data-cart-items]").replaceChildren(...held.map((line, index) => {
      const entry = document.createElement("li");
      const remove = document.createElement("button");
      entry.textContent = line.name;
      remove.textContent = "Remove";
      remove.setAttribute("aria-label", `Remove ${line.name}`);
      remove.dataset.act = "remove";
      remove.dataset.index = index;
      entry.append(remove);
      return entry;
    }));
  }

  function order(products) {
    const total = products.reduce((sum, line) => sum + line.price, 0);
    const id = Array.from(crypto.getRandomValues(new Uint8Array(8)), (b) => (b + 256).toString(16).slice(1)).join("");
    const all = products.map((line) => ({ ...line, quantity: 1 }));
    bespeak.track("Order Completed", { order_id: id, total: Math.round(total * 100) / 100, currency: products[0].currency, products: all });
    say("Ordered. Thank you!");
  }

  document.addEventListener("click", ({ target }) => {
    if (target.closest('a[href$="#cart"]')) document.getElementById("cart").open = true;
  });

  const acts = {
    close,
    cart(button) {
      const line = product(button);
      remember("demo_cart", [...lines(), line]);
      bespeak.track("Product Added", { ...line, quantity: 1 });
      say(`${line.name} is in your cart.`);
    },
    buy(button) {
      order([product(button)]);
    },
    hide(button) {
      bespeak.track("Item Hidden", product(button));
      say("You will not see it again.");
      if (!panel.hidden) close();
    },
    remove(button) {
      const held = lines();
      const [line] = held.splice(+button.dataset.index, 1);
      remember("demo_cart", held);
      bespeak.track("Product Removed", { ...line, quantity: 1 });
    },
    order() {
      order(lines());
      remember("demo_cart", []);
    },
  };
  document.addEventListener("click", ({ target }) => {
    const button = target.closest("button[data-act]");
    if (!button) return;
    acts[button.dataset.act](button);
    drawCart();
  });
  drawCart();

  // -- a part of the page that goes on by itself while something runs
  const { live } = document.body.dataset;
  const part = document.getElementById("crowd");
  async function follow() {
    if (!part.querySelector("[data-state=running]")) return;
    const answer = await fetch(live).catch(() => null);
    if (answer && answer.ok) part.innerHTML = await answer.text();
    setTimeout(follow, 1000);
  }
  if (live) follow();
})();
