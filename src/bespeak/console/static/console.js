/* The console's own script: the plot of events per minute, pausing what refreshes itself, and saying what changed. */
(function () {
  "use strict";

  const said = document.getElementById("said");
  const isPaused = () => {
    const box = document.querySelector("[data-live-switch]");
    return document.hidden || (box !== null && !box.checked);
  };

  // What refreshes itself waits while nobody looks, or while it was switched off. Switching off asks for
  // nothing, and an answer that was already on its way is dropped.
  const isPoll = (detail) => detail.requestConfig.elt.hasAttribute("data-poll") && detail.requestConfig.triggeringEvent === undefined;
  const isSwitch = (event) => event !== undefined && event.target instanceof Element && event.target.matches("[data-live-switch]");
  document.addEventListener("htmx:beforeRequest", (event) => {
    const { detail } = event;
    if ((isPoll(detail) || isSwitch(detail.requestConfig.triggeringEvent)) && isPaused()) event.preventDefault();
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (isPoll(event.detail) && isPaused()) event.detail.shouldSwap = false;
  });

  // A screen reader hears of changes at most every five seconds, and of the same words once.
  let saidAt = 0;
  document.addEventListener("htmx:afterSettle", (event) => {
    const words = event.detail.elt.dataset && event.detail.elt.dataset.say;
    if (!words || words === said.textContent || Date.now() - saidAt < 5000) return;
    saidAt = Date.now();
    said.textContent = words;
  });

  // -- events per minute
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  const hour = (seconds) => new Date(seconds * 1000).toISOString().slice(11, 16);

  function plotOptions(width) {
    const grid = { stroke: colour("--line"), width: 1 };
    const line = (label, name, fill, show) => ({
      label, show, stroke: colour(name), fill: fill ? colour(fill) : undefined, width: 2, points: { show: false },
      value: (_, value) => (value === null || value === undefined ? "–" : String(value)),
    });
    const axis = { stroke: colour("--faint"), grid, ticks: grid, font: "12px system-ui, sans-serif" };
    return {
      width, height: 180,
      scales: { y: { range: (_, low, high) => [0, Math.max(4, high * 1.1 || 4)] } },
      axes: [{ ...axis, values: (_, ticks) => ticks.map(hour) }, { ...axis, size: 64, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 1e6] }],
      series: [
        { label: "minute (UTC)", value: (_, at) => (at ? hour(at) : "–") },
        line("live", "--accent", "--accent-wash", true), line("rejected", "--minus", null, true), line("imported", "--gold", null, false),
      ],
      tzDate: (at) => window.uPlot.tzDate(new Date(at * 1000), "Etc/UTC"),
      cursor: { y: false },
    };
  }

  function pulse(element) {
    let plot = null;
    let rows = null;
    const draw = () => {
      if (!rows) return;
      if (plot) plot.destroy();
      plot = new window.uPlot(plotOptions(element.clientWidth), rows, element);
    };
    const load = () => {
      if (document.hidden) return;
      fetch(element.dataset.pulse, { credentials: "same-origin" })
        .then((reply) => (reply.ok && !reply.redirected ? reply.json() : Promise.reject(new Error(reply.status))))
        .then(({ minutes, live, rejected, imported }) => {
          rows = [minutes, live, rejected, imported];
          if (plot) plot.setData(rows);
          else draw();
        })
        .catch(() => {}); // the next turn tries again
    };
    new ResizeObserver(() => plot && plot.setSize({ width: element.clientWidth, height: 180 })).observe(element);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
    load();
    setInterval(load, 2000);
  }

  document.querySelectorAll("[data-pulse]").forEach((element) => window.uPlot && pulse(element));
})();
