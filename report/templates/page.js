"use strict";
// Draws the charts of what is shown, in the colours of the page, and switches between listeners and periods.
(() => {
  const specs = JSON.parse(document.getElementById("charts").textContent);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const variable = /^var\((--[\w-]+)\)$/;

  function resolved(value, style) {
    if (typeof value === "string") {
      const found = variable.exec(value);
      return found ? style.getPropertyValue(found[1]).trim() : value;
    }
    if (Array.isArray(value)) return value.map((part) => resolved(part, style));
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, name === "data" || name === "datasets" ? part : resolved(part, style)]));
    }
    return value;
  }

  function config(style) {
    const ink = style.getPropertyValue("--ink").trim();
    const muted = style.getPropertyValue("--muted").trim();
    const font = window.getComputedStyle(document.body).fontFamily;
    return {
      background: "transparent",
      font,
      view: { stroke: null },
      axis: { labelColor: muted, titleColor: muted, labelFontSize: 12, titleFontSize: 12, titleFontWeight: 400, labelPadding: 6, gridColor: style.getPropertyValue("--line").trim() },
      legend: { labelColor: ink, titleColor: muted, labelFontSize: 12, titleFontSize: 12, titleFontWeight: 400 },
    };
  }

  // A calendar's cells stay nearly square, however narrow the page is.
  function fitted(spec, width) {
    const columns = spec.usermeta && spec.usermeta.columns;
    if (columns) spec.height = spec.usermeta.rows * Math.max(6, Math.min(14, (width - 40) / columns * 0.8));
    if (spec.encoding && spec.encoding.color && spec.encoding.color.legend && spec.encoding.color.legend.columns === 0) {
      spec.encoding.color.legend.columns = width < 560 ? 2 : 6;
    }
    return spec;
  }

  async function draw(place) {
    const style = window.getComputedStyle(document.documentElement);
    const spec = fitted(resolved(specs[place.id], style), place.clientWidth);
    spec.config = config(style);
    spec.autosize = { type: "fit-x", contains: "padding" };
    const options = { ast: true, actions: false, renderer: "svg", tooltip: { theme: dark.matches ? "dark" : "light" } };
    const view = await window.vegaEmbed(place, spec, options);
    if (place.vega) place.vega.finalize();
    place.vega = view;
    place.dataset.drawn = String(place.clientWidth);
  }

  // One after the other: two drawings of one chart would stand in each other's way.
  let drawing = Promise.resolve();
  function drawShown(again) {
    drawing = drawing.then(() => drawAll(again));
  }

  async function drawAll(again) {
    for (const place of document.querySelectorAll(".chart")) {
      if (place.clientWidth > 0 && (again || place.dataset.drawn !== String(place.clientWidth))) await draw(place);
    }
    document.documentElement.dataset.ready = "true";
  }

  for (const choice of document.querySelectorAll("select[data-choice]")) {
    const name = `data-${choice.dataset.choice}`;
    const show = () => {
      for (const part of document.querySelectorAll(`[${name}]`)) part.hidden = part.getAttribute(name) !== choice.value;
    };
    choice.addEventListener("change", () => { show(); drawShown(false); });
    // A browser may restore what was chosen before a reload.
    show();
  }
  dark.addEventListener("change", () => drawShown(true));
  let waiting;
  window.addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => drawShown(false), 200);
  });
  drawShown(false);
})();
