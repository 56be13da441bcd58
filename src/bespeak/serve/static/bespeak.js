/*! bespeak.js 1 (Apache-2.0): tracking, consent, personalized slots.
 * <script async src="https://HOST/bespeak.js" data-key="WRITE_KEY"></script>
 * Calls before it has loaded: (window.bespeak = window.bespeak || []).push(["track", "Product Viewed", {…}])
 *
 * Before consent nothing is written to the device, events grant only what is essential, slots are asked for without
 * an id. Withdrawal removes what was written. User id and token are never written.
 */
(function () {
  "use strict";

  const { key, host, timeout = 800 } = document.currentScript.dataset;
  const base = host || new URL(document.currentScript.src).origin;
  const now = () => new Date().toISOString();

  // crypto.randomUUID exists on secure pages only
  const newId = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => (b + 256).toString(16).slice(1)).join("");

  /** Reads, writes or (null) removes. */
  function stored(name, value) {
    try {
      if (value === undefined) return JSON.parse(localStorage.getItem(name));
      if (value === null) localStorage.removeItem(name);
      else localStorage.setItem(name, JSON.stringify(value));
    } catch (_) { /* forbidden: stays in memory */ }
    return null;
  }

  /** Only `true` grants, what is not named is refused, and Global Privacy Control refuses sharing. */
  function preferencesFrom(answer) {
    const all = { personalize: false, measure: false, improve: false, share: false };
    for (const name in answer) all[name] = answer[name] === true;
    if (navigator.globalPrivacyControl) all.share = false;
    return { ...all, essential: true };
  }

  const isGranted = () => Object.keys(preferences).some((name) => name !== "essential" && preferences[name]);

  let preferences, answered, anonymousId;

  /** What the device holds, which another page of the site may have changed. */
  function recall() {
    preferences = preferencesFrom(stored("bespeak_consent"));
    answered = isGranted() && JSON.stringify(preferences);
    anonymousId = (answered && stored("bespeak_id")) || newId();
  }

  recall();
  let userId;
  let personToken;

  // Sending: in order, the same message id on each of 6 tries

  let waiting = [];
  let isSending = false;

  /** A text body without Authorization header needs no preflight. */
  function post(path, body, timeoutMs, more) {
    const cancel = new AbortController();
    const timer = setTimeout(() => cancel.abort(), timeoutMs);
    return fetch(base + path, { method: "POST", body, credentials: "omit", signal: cancel.signal, ...more })
      .then((reply) => reply.text().then((text) => ({ reply, text })))
      .finally(() => clearTimeout(timer));
  }

  const place = { locale: navigator.language, timezone: Intl.DateTimeFormat().resolvedOptions().timeZone };
  const here = () => ({
    path: location.pathname, search: location.search, url: location.href, referrer: document.referrer, title: document.title,
  });

  /** Resolves to true once the server has the event, to false when refused or given up. */
  function send(route, event) {
    const campaign = {};
    new URLSearchParams(location.search).forEach((value, name) => {
      if (name.startsWith("utm_")) campaign[name === "utm_campaign" ? "name" : name.slice(4)] = value;
    });
    event.context = {
      ...place, page: here(), campaign, personToken, userAgent: navigator.userAgent,
      library: { name: "bespeak.js", version: "1" }, consent: { categoryPreferences: preferences },
    };
    Object.assign(event, { messageId: newId(), timestamp: now(), writeKey: key, anonymousId, userId });
    return new Promise((resolve) => {
      waiting.push({ route, event, resolve, tries: 0, at: 0 });
      if (waiting.length > 100) waiting.shift().resolve(false);
      next();
    });
  }

  const bodyOf = (item) => JSON.stringify({ ...item.event, sentAt: now() });

  async function next() {
    const item = waiting.find((one) => one.at <= Date.now());
    if (isSending || !item || document.prerendering) return;
    isSending = true;
    waiting = waiting.filter((one) => one !== item);
    let pause = 1000 * 2 ** item.tries++ * (0.75 + Math.random() / 2);
    try {
      const body = bodyOf(item);
      const { reply, text } = await post(item.route, body, 10000, { keepalive: body.length < 3e4 }); // browsers allow 64 kB
      if (reply.status < 500 && reply.status !== 429) {
        if (!reply.ok) console.warn("bespeak: refused:", text);
        item.resolve(reply.ok);
        pause = 0;
      } else pause = Math.max(pause, reply.headers.get("Retry-After") * 1000 || 0);
    } catch (_) { /* no network: tried again */ }
    isSending = false;
    if (pause && item.tries < 6) {
      item.at = Date.now() + pause;
      waiting.push(item);
      setTimeout(next, pause + 1);
    } else item.resolve(false);
    next();
  }

  /** The page may go: what waits leaves as beacons too; the server drops what comes twice. */
  function flush() {
    slots.forEach(reportSeen);
    if (!document.prerendering) waiting.forEach((item) => navigator.sendBeacon(base + item.route, bodyOf(item)));
  }

  // Slots

  const slots = new Map(); // element -> slot

  /**
   * Options: live, and what /api/decide takes: count, context, filter, exclude, item, items, query; or page, and what
   * /api/page takes.
   */
  async function slot(target, placement, options = {}) {
    const element = typeof target === "string" ? document.querySelector(target) : target;
    return element && fill(Object.assign(slotOf(element), { placement, options }));
  }

  function slotOf(element) {
    const it = slots.get(element) || {
      element, turn: 0, seen: [], nodes: [], content: [...element.childNodes], className: element.className,
      template: element.querySelector("template:not([data-variant])"), rows: new Map(),
      variants: [...element.querySelectorAll("template[data-variant]")],
    };
    slots.set(element, it);
    return it;
  }

  /** Resolves to the decision (of a page: to its answer), or to null where the element keeps its content. */
  async function fill(it) {
    const turn = ++it.turn;
    it.wait = 0;
    const { live, ...options } = it.options;
    const { personalize } = preferences;
    const body = {
      ...options, writeKey: key, placement: it.placement || undefined, context: { ...place, ...options.context },
      ...(personalize && { anonymousId, userId }),
    };
    const headers = personalize && personToken ? { "X-Person-Token": personToken } : {};
    try {
      const path = options.page ? "/api/page" : "/api/decide";
      const { reply, text } = await post(path, JSON.stringify(body), +timeout, { headers });
      if (!reply.ok) throw Error(text);
      const decision = JSON.parse(text);
      if (turn !== it.turn || !(decision.rows || decision.items).length) return null;
      if (isTooLate(it)) throw Error("it is on view already");
      (decision.rows ? showPage : show)(it, decision);
      return decision;
    } catch (error) {
      console.warn("bespeak: content kept:", error.message);
      return null;
    } finally {
      it.element.dataset.filled = "";
    }
  }

  /** A slot that the page's style hides until it is filled (data-reserve) never changes under the visitor's eyes. */
  function isTooLate({ element, decision }) {
    return !decision && element.dataset.reserve !== undefined && getComputedStyle(element).visibility === "visible";
  }

  const isVariant = (item) => "value" in item;

  /** A row that stays keeps its element, and moves only when its place changed. */
  function showPage(it, { rows }) {
    const { element, rows: before } = it;
    it.decision = { items: [] };
    it.rows = new Map();
    rows.forEach((decision, place) => {
      const name = decision.placement + JSON.stringify(decision.about);
      const root = before.get(name) || it.template.content.firstElementChild.cloneNode(true);
      it.rows.set(name, root);
      if (element.children[place] !== root) element.insertBefore(root, element.children[place] || null);
      fillIn(root, decision);
      // it never asks by itself: it waits for its page
      show(Object.assign(slotOf(root.querySelector("[data-bespeak-row]")), { placement: decision.placement, wait: 1 }), decision);
    });
    while (element.children[rows.length]) element.lastElementChild.remove();
    tidy();
  }

  /** A listener of bespeak:filled that calls preventDefault() draws the cards itself, each with data-item-id. */
  function show(it, decision) {
    const { element } = it;
    const [first] = decision.items;
    reportSeen(it);
    it.nodes.forEach(unseen); // the rest was replaced too soon
    it.decision = decision;
    if (element.dispatchEvent(new CustomEvent("bespeak:filled", { bubbles: true, cancelable: true, detail: decision }))) {
      element.replaceChildren(...(isVariant(first) ? variant(it, first) : decision.items.map((item) => card(it, item))));
    }
    if (isVariant(first)) element.dataset.itemId = element.dataset.variant = first.id;
    it.nodes = [element, ...element.querySelectorAll("[data-item-id]")].filter((node) => node.dataset.itemId);
    it.nodes.forEach((node) => observer.observe(node));
  }

  function card(it, item) {
    const { attributes, ...rest } = item.properties || {};
    const values = { ...attributes, ...rest };
    values.price = money(values);
    values.reason = item.reasons && item.reasons.length ? item.reasons[0].text : "";
    const root = it.template ? it.template.content.firstElementChild.cloneNode(true) : plainCard();
    fillIn(root, values, true);
    Object.assign(root.dataset, { itemId: item.id, decisionId: it.decision.decisionId });
    return root;
  }

  /** What was written for a variant, else the default content, with the variant's values filled in. */
  function variant(it, { id, value }) {
    const made = it.variants.find((template) => template.dataset.variant === id);
    const root = document.createElement("div");
    root.append(...(made ? made.content.cloneNode(true).childNodes : it.content.map((node) => node.cloneNode(true))));
    const values = value && typeof value === "object" ? value : { value };
    fillIn(root, values);
    it.element.className = `${it.className} ${values.class || ""}`.trim();
    return root.childNodes;
  }

  /** Fills the elements that carry data-field or data-attr="title:NAME"; data becomes text, never markup. */
  function fillIn(root, values, isCard) {
    const link = webAddress(values.url);
    for (const part of [root, ...root.querySelectorAll("*")]) {
      const { field, attr = "" } = part.dataset;
      if (field && (field in values || isCard)) {
        if (part.tagName === "IMG") part.src = webAddress(values[field]);
        else part.textContent = values[field] === undefined ? "" : values[field];
      }
      for (const [, name, from] of attr.matchAll(/(href|src|alt|title|value|aria-\w+):(\w+)/g)) {
        if (from in values) part.setAttribute(name, /href|src/.test(name) ? webAddress(values[from]) : values[from]);
      }
      if (part.tagName === "A" && link && !part.hasAttribute("href")) part.href = link;
    }
  }

  function plainCard() {
    const root = document.createElement("a");
    root.className = "bespeak-card";
    for (const field of ["imageUrl", "title", "price", "reason"]) {
      const part = document.createElement(field === "imageUrl" ? "img" : "span");
      part.dataset.field = field;
      part.alt = "";
      root.append(part);
    }
    return root;
  }

  /** Never javascript: or data: addresses. */
  function webAddress(text) {
    const link = document.createElement("a");
    link.href = text;
    return text && /^https?:$/.test(link.protocol) ? link.href : "";
  }

  /** From minor units: 1999 EUR is 19.99 €. */
  function money({ price, currency }) {
    try {
      const format = new Intl.NumberFormat(document.documentElement.lang || place.locale, { style: "currency", currency });
      return price >= 0 ? format.format(price / 10 ** format.resolvedOptions().maximumFractionDigits) : "";
    } catch (_) {
      return "";
    }
  }

  /** The slot and item that a node stands for. */
  function itemAt(node) {
    const element = node.closest("[data-item-id]");
    for (const it of slots.values()) {
      const items = element && it.decision && it.element.contains(element) ? it.decision.items : [];
      const item = items.find(({ id }) => id === element.dataset.itemId);
      if (item) return { it, item };
    }
    return {};
  }

  // Seen is what stood half in the window for a second, or filled half of the window.

  const looks = new Map(); // node -> timer

  const observer = new IntersectionObserver((entries) => {
    for (const { target, intersectionRatio, intersectionRect, isIntersecting } of entries) {
      if (!isIntersecting || (intersectionRatio < 0.5 && intersectionRect.height < innerHeight / 2)) stopLook(target);
      else if (!looks.has(target)) looks.set(target, setTimeout(seen, 1000, target));
    }
  }, { threshold: [0, 0.1, 0.2, 0.3, 0.4, 0.5] });

  function stopLook(node) {
    clearTimeout(looks.get(node));
    looks.delete(node);
  }

  function unseen(node) {
    observer.unobserve(node);
    stopLook(node);
  }

  function seen(node) {
    looks.delete(node);
    const { it, item } = itemAt(node);
    if (document.hidden) return looks.set(node, setTimeout(seen, 1000, node));
    observer.unobserve(node);
    if (!item || item.isSeen) return;
    item.isSeen = true;
    it.seen.push(item);
    if (it.seen.length === 1) setTimeout(reportSeen, 100, it);
  }

  const shownBy = (it) => ({ decision_id: it.decision.decisionId, placement: it.placement });

  function reportSeen(it) {
    const items = it.seen.splice(0).map(({ id, position }) => ({ item_id: id, position }));
    if (!items.length) return;
    const what = isVariant(it.decision.items[0]) ? { variant: items[0].item_id } : { items };
    const event = what.variant ? "Variant Viewed" : "Recommendation Viewed";
    send("/v1/t", { type: "track", event, properties: { ...shownBy(it), ...what } });
  }

  /** A variant is clicked where it leads somewhere. */
  function clicked({ target, button }) {
    const { it, item } = itemAt(target);
    if (!item || button > 1) return;
    if (!isVariant(item)) track("Product Clicked", { ...shownBy(it), product_id: item.id, position: item.position });
    else if (target.closest("a,button,input,label,[role=button]")) track("Variant Clicked", { ...shownBy(it), variant: item.id });
  }

  /** The acknowledgement follows the commit, so the next decision knows the event. */
  function refill(isStored, onlyLive) {
    slots.forEach((it) => {
      if (isStored && it.element.isConnected && !it.wait && (it.options.live || !onlyLive)) it.wait = setTimeout(fill, 30, it);
    });
    return isStored;
  }

  const tidy = () => slots.forEach((it, element) => element.isConnected || slots.delete(element));

  /**
   * Slots in the page: <div data-bespeak-slot="home" data-count="8" data-live>default content</div>
   * and whole pages: <div data-bespeak-page="front"><template>a row with data-bespeak-row inside</template></div>
   */
  function scan() {
    tidy();
    for (const element of document.querySelectorAll("[data-bespeak-slot],[data-bespeak-page]")) {
      const { bespeakSlot, bespeakPage: page, count, live, filter, item, query } = element.dataset;
      const options = { count: +count || undefined, live: live !== undefined, filter, item, query, page };
      if (!slots.has(element)) slot(element, bespeakSlot, options);
    }
  }

  const track = (event, properties = {}) =>
    send("/v1/t", { type: "track", event, properties }).then((isStored) => refill(isStored, true));

  const api = {
    track,
    slot,
    page(properties) {
      scan();
      return send("/v1/p", { type: "page", name: document.title, properties: { ...here(), ...properties } });
    },
    /** Who is logged in; with a token from the site's backend, decisions use the profile. */
    identify(id, traits = {}, token) {
      userId = String(id);
      personToken = token;
      return send("/v1/i", { type: "identify", traits }).then(refill);
    },
    /** {purpose: true, …} or false; the same answer again (a banner on every page) sends nothing. */
    async consent(answer) {
      const before = answered;
      preferences = preferencesFrom(answer);
      answered = JSON.stringify(preferences);
      stored("bespeak_id", isGranted() ? anonymousId : null);
      stored("bespeak_consent", isGranted() ? preferences : null);
      if (before === answered) return true;
      const sent = send("/v1/t", { type: "track", event: "Segment Consent Preference Updated", properties: {} });
      if (!isGranted()) anonymousId = newId(); // the withdrawal itself went out under the old one
      return refill(await sent);
    },
    /** After a log-out: the next person gets an id of their own. */
    reset() {
      userId = personToken = undefined;
      anonymousId = newId();
      if (isGranted()) stored("bespeak_id", anonymousId);
      refill(true);
    },
    push: ([name, ...values]) => api[name](...values),
  };

  const kept = window.bespeak;
  window.bespeak = api;
  if (Array.isArray(kept)) kept.forEach(api.push);
  /** Whoever is another person on the device is no longer who was logged in here. */
  const again = ({ key: name, persisted }) => {
    if (!persisted && name !== null && !/^bespeak_/.test(name)) return;
    const before = anonymousId;
    recall();
    if (before !== anonymousId) userId = personToken = undefined;
    refill(true);
  };
  addEventListener("storage", again); // another tab
  addEventListener("pageshow", again); // back from the browser's cache of pages
  document.addEventListener("prerenderingchange", next);
  addEventListener("pagehide", flush);
  addEventListener("click", clicked, true);
  addEventListener("auxclick", clicked, true);
  document.addEventListener("visibilitychange", () => document.hidden && flush());
  // Until DOMContentLoaded the page's other deferred scripts have yet to run: they may say who is here, or listen.
  const [opened] = performance.getEntriesByType("navigation");
  const isParsed = opened ? opened.domContentLoadedEventStart > 0 : document.readyState === "complete";
  if (isParsed) scan();
  else document.addEventListener("DOMContentLoaded", scan);
})();
