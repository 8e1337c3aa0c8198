// The page of `qsdask explore`, and the same page in a notebook: asks for arrays, draws them as bytes of a canvas, and keeps its state
// behind the # of the address, or with the notebook.
"use strict";

const TYPES = {uint8: Uint8Array, uint32: Uint32Array, float32: Float32Array, float64: Float64Array};
const KINDS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#999999"]; // Okabe and Ito
const AXES = {x: 0, y: 1, z: 2};
const SIZE = 0.85; // of a disc, in units of the atom's radius
const KEPT = 24; // answers about slices

// What the address holds: name -> default, or how it is read.
const WORDS = {
  view: "slice", glass: 0, beside: -1, axis: "y", centre: null, thickness: null, place: "frame", frame: 0, column: "", map: "viridis",
  low: null, high: null, soft: 0.7, hard: 0.1, above: 0.7, kind: "all", marked: "contours", row: null, curve: "plastic_fraction",
  turn: 0.6, tilt: 0.35, zoom: 1,
};

// ---- numbers, texts, colours ----

const rounded = x => Number(x.toFixed(4));
const percent = x => `${Number((100 * x).toPrecision(3))} %`;
const number = x => x.toLocaleString("en-US");
const short = x => x === null || x === undefined || Number.isNaN(x) ? "–" : String(Number(x.toPrecision(4)));
const NAMES = {qs: "QS", qs_std: "spread of QS", d2min: "D²min", species: "element", class: "class (soft, hard)", delta_qs: "ΔQS", step_qs: "QS of the frame"};
const titleOf = name => NAMES[name] || name;
const numberOf = node => node.value === "" ? null : Number(node.value);
const textOf = data => new TextDecoder().decode(data);
const jsonOf = data => JSON.parse(textOf(data));

function unpacked(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const found = {};
  for (const [name, at] of Object.entries(head.arrays)) {
    found[name] = new TYPES[at.dtype](buffer, 4 + length + at.offset, at.size);
  }
  return {...head, ...found};
}

function packedColour(text) {
  const [r, g, b] = text[0] === "#" ? [1, 3, 5].map(k => parseInt(text.slice(k, k + 2), 16)) : text.match(/\d+/g).map(Number);
  return (0xff000000 | b << 16 | g << 8 | r) >>> 0;
}

const darker = colour => (0xff000000 | (colour >> 16 & 255) * 0.55 << 16 | (colour >> 8 & 255) * 0.55 << 8 | (colour & 255) * 0.55) >>> 0;

const LABELS = {plastic_fraction: "fraction", activated_fraction: "fraction", qs_mean_newly: "QS", auc: "AUC"};
const WAYS = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};

// ---- shapes ----

class Raster {
  // Discs as bytes of a picture: as fast without a graphics card as with one, and the same on all machines.
  constructor(canvas, paper) {
    this.context = canvas.getContext("2d", {willReadFrequently: true}); // kept in memory, where it is written
    this.width = canvas.width;
    this.height = canvas.height;
    this.image = this.context.createImageData(this.width, this.height);
    this.pixels = new Uint32Array(this.image.data.buffer);
    this.pixels.fill(packedColour(paper));
    this.widths = new Map();
  }

  halfWidths(r) {
    if (!this.widths.has(r)) this.widths.set(r, Array.from({length: 2 * r + 1}, (_, y) => Math.floor(Math.sqrt((r + 0.4) ** 2 - (y - r) ** 2))));
    return this.widths.get(r);
  }

  disc(x, y, r, colour, depth, z) {
    const half = this.halfWidths(r), {width, height, pixels} = this;
    for (let j = -r; j <= r; j++) {
      const line = y + j;
      if (line < 0 || line >= height) continue;
      const w = half[j + r], from = Math.max(x - w, 0), to = Math.min(x + w, width - 1), at = line * width;
      if (!depth) pixels.fill(colour, at + from, Math.max(at + to + 1, at + from));
      else for (let p = at + from; p <= at + to; p++) if (z < depth[p]) { depth[p] = z; pixels[p] = colour; }
    }
  }

  done() {
    this.context.putImageData(this.image, 0, 0);
  }
}

function niceLength(most) {
  const ten = 10 ** Math.floor(Math.log10(most));
  return Number((most >= 5 * ten ? 5 * ten : most >= 2 * ten ? 2 * ten : ten).toPrecision(1));
}

// Marching squares on the smoothed D²min; the map goes on through periodic faces.
function contour({map: field, grid, periodic}, level, line) {
  const [rows, cols] = grid.shape;
  const at = (i, j) => [0, 1].map(k => grid.corner[k] + j * grid.along[k] + i * grid.across[k]);
  const lastRow = rows - (periodic[1] ? 0 : 1), lastCol = cols - (periodic[0] ? 0 : 1);
  for (let i = 0; i < lastRow; i++) for (let j = 0, here = i * cols, next = (i + 1) % rows * cols; j < lastCol; j++) {
    const right = j + 1 < cols ? j + 1 : 0, z = [field[here + j], field[here + right], field[next + right], field[next + j]];
    const above = (z[0] > level) + 2 * (z[1] > level) + 4 * (z[2] > level) + 8 * (z[3] > level);
    if (above === 0 || above === 15 || z.some(Number.isNaN)) continue;
    const corner = [at(i, j), at(i, j + 1), at(i + 1, j + 1), at(i + 1, j)];
    const cross = k => {
      const l = (k + 1) % 4, part = (level - z[k]) / (z[l] - z[k]);
      return [0, 1].map(d => corner[k][d] + part * (corner[l][d] - corner[k][d]));
    };
    const cut = [0, 1, 2, 3].filter(k => (z[k] > level) !== (z[(k + 1) % 4] > level));
    if (cut.length === 2) line(cross(cut[0]), cross(cut[1]));
    else {
      // A saddle: the middle decides which corners hang together.
      const joined = ((z[0] + z[1] + z[2] + z[3]) / 4 > level) === (z[0] > level);
      const pairs = joined ? [[0, 1], [2, 3]] : [[3, 0], [1, 2]];
      for (const [k, l] of pairs) line(cross(k), cross(l));
    }
  }
}

function edges() {
  const found = [];
  for (let p = 0; p < 8; p++) for (const bit of [1, 2, 4]) if (!(p & bit)) found.push([p, p | bit].map(k => [k & 1, k >> 1 & 1, k >> 2]));
  return found;
}

function svg(name, attributes, parent, text) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  parent.append(node);
  return node;
}

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without a secure context or leave: the old way.
    const field = document.createElement("textarea");
    field.value = text;
    document.body.append(field);
    field.select();
    const copied = document.execCommand("copy");
    field.remove();
    if (!copied) throw new Error(`nothing was copied; the line is: ${text}`);
  }
}

// ---- where the page lives: `root` holds its nodes; `ask` gives bytes; `state` and `keep` hold what is shown ----

function inBrowser() {
  const token = new URLSearchParams(location.search).get("token") || "";
  return {
    root: document,
    ask: async (question, words) => {
      const answer = await fetch(`api/${question}?${new URLSearchParams(words)}`, {headers: {"X-QSDask-Token": token}});
      return {ok: answer.ok, kind: answer.headers.get("Content-Type"), data: await answer.arrayBuffer()};
    },
    state: () => location.hash.slice(1),
    keep: words => history.replaceState(null, "", `${location.pathname}${location.search}#${words}`),
    onState: (react, signal) => window.addEventListener("hashchange", react, {signal}),
    onTheme: (react, signal) => matchMedia("(prefers-color-scheme: dark)").addEventListener("change", react, {signal}),
    name: title => { document.title = title; },
  };
}

// In a notebook questions go to the kernel over the channel of the widget, and the nodes are shut off from those around.
function inNotebook(model, host) {
  const root = host.attachShadow({mode: "open"}), style = new CSSStyleSheet(), page = document.createElement("div");
  style.replaceSync(model.get("css"));
  root.adoptedStyleSheets = [style];
  Object.assign(page, {className: "page", innerHTML: model.get("html"), tabIndex: -1});
  root.append(page);
  host.dataset.lmSuppressShortcuts = "true"; // Jupyter has deeds of its own for the keys
  const waiting = new Map(), view = Math.random().toString(36).slice(2); // several views may share a model
  let asked = 0, kept = model.get("state");
  const heard = (told, [bytes]) => {
    waiting.get(told.number)?.({ok: told.status === 200, kind: told.kind, data: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength)});
    waiting.delete(told.number);
  };
  model.on("msg:custom", heard);
  // The theme of JupyterLab, where there is one, not that of the system.
  const follow = () => { host.style.colorScheme = {true: "light", false: "dark"}[document.body.dataset.jpThemeLight] || "light dark"; };
  follow();
  return {
    root,
    ask: (question, words) => new Promise(answered => {
      const number = `${view}-${asked++}`;
      const late = setTimeout(() => { root.getElementById("status").textContent = "Waiting for the kernel…"; }, 3000);
      waiting.set(number, answer => { clearTimeout(late); answered(answer); });
      model.send({number, question, words: Object.fromEntries(new URLSearchParams(words))});
    }),
    state: () => model.get("state"),
    keep: words => {
      if (words === kept) return;
      kept = words;
      model.set("state", words);
      model.save_changes();
    },
    onState: (react, signal) => {
      const changed = () => { if (model.get("state") !== kept) { kept = model.get("state"); react(); } };
      model.on("change:state", changed);
      signal.addEventListener("abort", () => { model.off("change:state", changed); model.off("msg:custom", heard); });
    },
    onTheme: (react, signal) => {
      const themes = new MutationObserver(() => { follow(); react(); });
      themes.observe(document.body, {attributes: true, attributeFilter: ["data-jp-theme-light"]});
      signal.addEventListener("abort", () => themes.disconnect());
      matchMedia("(prefers-color-scheme: dark)").addEventListener("change", react, {signal});
    },
    name: () => {},
  };
}

function explore(link) {
  const {root} = link, page = root.querySelector(".page"), $ = id => root.getElementById(id), ended = new AbortController();
  const inks = new Map(); // colours of the style, light or dark
  const theme = name => {
    if (!inks.has(name)) {
      $("ink").style.color = `var(--${name})`;
      inks.set(name, getComputedStyle($("ink")).color);
    }
    return inks.get(name);
  };

  const state = {...WORDS};
  let glasses = [], maps = {}, marks = [], counts = [];
  const panels = [...root.querySelectorAll(".picture")].map(figure => ({
    figure, atoms: figure.querySelector(".atoms"), lines: figure.querySelector(".lines"), caption: figure.querySelector("figcaption"),
    data: null, key: "", shown: null,
  }));

  // ---- questions ----

  async function ask(question, words = {}) {
    const {ok, kind, data} = await link.ask(question, words);
    if (ok) return data;
    const told = kind === "application/json" ? jsonOf(data) : {message: textOf(data)};
    const more = [told.code, told.why, told.hint && `try: ${told.hint}`].filter(Boolean).join("; ");
    throw new Error(told.message + (more ? ` (${more})` : ""));
  }

  const answers = new Map(); // the last answers about slices and atoms, by what was asked

  function arrays(question, words) {
    const key = `${question}?${new URLSearchParams(words)}`;
    const held = answers.get(key);
    answers.delete(key);
    const found = held || ask(question, words).then(unpacked);
    answers.set(key, found);
    found.catch(() => answers.delete(key));
    if (answers.size > KEPT) answers.delete(answers.keys().next().value);
    return found;
  }

  // ---- state ----

  function readAddress() {
    const words = new URLSearchParams(link.state());
    for (const [name, usual] of Object.entries(WORDS)) {
      const text = words.get(name);
      if (text === null) state[name] = usual;
      else if (typeof usual === "string") state[name] = text;
      else state[name] = text !== "" && Number.isFinite(Number(text)) ? Number(text) : usual;
    }
    const within = (name, most, usual) => { if (!(Number.isInteger(state[name]) && state[name] >= 0 && state[name] < most)) state[name] = usual; };
    within("glass", glasses.length, 0);
    if (state.beside !== -1) within("beside", glasses.length, -1);
    for (const [id, word] of [["view"], ["axis"], ["place"], ["map"], ["kind"], ["marked"], ["curve"]].map(([id]) => [id, id])) {
      if (![...$(id).options].some(o => o.value === state[word])) state[word] = WORDS[word];
    }
    settle();
    within("frame", shown().strain.length, 0);
    if (state.row !== null) within("row", shown().atoms, null);
  }

  // What must hold whatever was chosen: the column is there, the slice lies in the box.
  function settle() {
    const glass = shown();
    const usual = glass.model ? "qs" : glass.moved ? "d2min" : "species";
    if (!columns().some(c => c.name === state.column)) state.column = usual;
    const k = AXES[state.axis], low = glass.low[k], high = low + glass.height[k];
    if (state.thickness === null || !(state.thickness > 0)) state.thickness = glass.thickness;
    if (state.centre === null || state.centre < low || state.centre > high) state.centre = rounded((low + high) / 2);
    state.frame = Math.min(state.frame, glass.strain.length - 1);
    if (!glass.model && state.view === "above") state.view = "slice";
    if (!glass.moved && state.kind === "plastic") state.kind = "all";
    if (!glass.model && (state.kind === "soft" || state.kind === "hard")) state.kind = "all";
    if (state.beside === state.glass) state.beside = -1;
    state.zoom = Math.min(Math.max(state.zoom, 0.2), 20);
  }

  function writeAddress() {
    const words = new URLSearchParams();
    for (const [name, usual] of Object.entries(WORDS)) {
      if (state[name] !== usual && state[name] !== null) words.set(name, typeof state[name] === "number" ? rounded(state[name]) : state[name]);
    }
    link.keep(String(words));
  }

  const shown = () => glasses[state.glass];

  function columns() {
    const glass = shown();
    const classes = glass.model ? [{name: "class", unit: "", meaning: "soft, hard, or between, by the handles of the histogram"}] : [];
    return [...glass.columns, ...classes];
  }

  function change(patch) {
    Object.assign(state, patch);
    settle();
    writeAddress();
    showControls();
    refresh();
  }

  // ---- controls ----

  function fill(select, options) {
    const before = [...select.options].map(o => o.value).join("\n");
    if (before === options.map(([value]) => value).join("\n")) return;
    select.replaceChildren(...options.map(([value, text, title]) => {
      const option = document.createElement("option");
      Object.assign(option, {value, textContent: text, title: title || ""});
      return option;
    }));
  }

  function showControls() {
    const glass = shown(), k = AXES[state.axis];
    fill($("glass"), glasses.map((g, i) => [String(i), g.name]));
    fill($("beside"), [["-1", "nothing"], ...glasses.map((g, i) => [String(i), g.name]).filter(([i]) => Number(i) !== state.glass)]);
    fill($("column"), columns().map(c => [c.name, titleOf(c.name), `${c.meaning}${c.unit && c.unit !== "1" ? `, ${c.unit}` : ""}`]));
    $("glass-label").hidden = $("beside-label").hidden = glasses.length < 2;
    for (const id of ["view", "glass", "beside", "axis", "place", "column", "map", "kind", "marked", "curve"]) $(id).value = String(state[id]);
    for (const id of ["low", "high"]) if (root.activeElement !== $(id)) $(id).value = state[id] === null ? "" : state[id];
    for (const id of ["thickness", "above"]) if (root.activeElement !== $(id)) $(id).value = state[id];
    Object.assign($("centre"), {min: glass.low[k], max: glass.low[k] + glass.height[k], step: rounded(Math.max(glass.thickness / 8, glass.height[k] / 1000))});
    $("centre").value = state.centre;
    if (root.activeElement !== $("centre-number")) $("centre-number").value = state.centre;
    $("frame").max = glass.strain.length - 1;
    $("frame").value = state.frame;
    $("frame").disabled = $("play").disabled = glass.strain.length < 2;
    $("frame").setAttribute("aria-valuetext", momentOf(glass, state.frame));
    $("strain").textContent = momentOf(glass, state.frame);
    $("soft").value = state.soft;
    $("hard").value = state.hard;
    $("soft").disabled = $("hard").disabled = !glass.model;
    $("view").options[1].disabled = !glass.model;
    $("above-label").hidden = state.view !== "above";
    $("slice-bar").hidden = state.view === "above";
    $("kind-label").hidden = state.view === "above";
    $("marks-label").hidden = state.view === "above" || !glass.moved;
    $("curve").disabled = !glass.model || !glass.moved;
    for (const kind of ["soft", "hard"]) [...$("kind").options].find(o => o.value === kind).disabled = !glass.model;
    [...$("kind").options].find(o => o.value === "plastic").disabled = !glass.moved || glass.threshold === null;
    for (const node of root.querySelectorAll(".length")) node.textContent = glass.length;
  }

  function momentOf(glass, frame) {
    const turns = new Set(glass.branch).size > 1 ? `, ${glass.branch[frame]}` : "";
    return `${percent(glass.strain[frame])} (frame ${frame}${turns})`;
  }

  function say(text, wrong = false) {
    $("status").textContent = text;
    $("status").classList.toggle("wrong", wrong);
  }

  // ---- what is asked, one question at a time, the newest first ----

  let asking = false, again = false;

  async function refresh() {
    if (asking) { again = true; return; }
    asking = true;
    do {
      again = false;
      try {
        await load();
      } catch (error) {
        say(error.message, true);
      }
    } while (again);
    asking = false;
  }

  function frameOf(glass, g) {
    if (g === state.glass) return state.frame;
    // The other glass at the strain of the first, on the same branch if it has one.
    const strain = shown().strain[state.frame], branch = shown().branch[state.frame];
    let best = 0, least = Infinity;
    glass.strain.forEach((e, i) => {
      const away = Math.abs(e - strain) + (glass.branch[i] === branch ? 0 : 1e-9);
      if (away < least) [best, least] = [i, away];
    });
    return best;
  }

  function centreOf(glass, g) {
    if (g === state.glass) return state.centre;
    // At the same part of its height: glasses side by side differ in size.
    const k = AXES[state.axis], first = shown();
    return rounded(glass.low[k] + (state.centre - first.low[k]) / first.height[k] * glass.height[k]);
  }

  function wordsOf(g, frame = frameOf(glasses[g], g)) {
    const glass = glasses[g], column = state.column === "class" ? "qs" : state.column;
    if (state.view === "above") return {glass: g, frame, column, above: state.above};
    return {
      glass: g, frame, column, axis: state.axis, centre: centreOf(glass, g), thickness: state.thickness, place: state.place,
      contours: state.marked === "contours" && glass.moved && glass.threshold !== null ? 1 : 0,
    };
  }

  async function load() {
    const question = state.view === "above" ? "above" : "slice";
    const wanted = [state.glass, ...(state.beside >= 0 ? [state.beside] : [])];
    panels[1].figure.hidden = wanted.length < 2;
    await Promise.all(wanted.map(async (g, i) => {
      const words = wordsOf(g), panel = panels[i];
      const data = await arrays(question, words);
      Object.assign(panel, {data, glass: glasses[g], g, words, view: state.view});
    }));
    draw();
    if (playing) ahead(question, wanted);
    if (state.row !== atomShown.row || state.frame !== atomShown.frame || state.glass !== atomShown.glass) await loadAtom();
  }

  // While it plays, the next frame is asked for while this one is looked at.
  function ahead(question, wanted) {
    const next = (state.frame + 1) % shown().strain.length;
    for (const g of wanted) if (g === state.glass) arrays(question, wordsOf(g, next)).catch(() => {});
  }

  // ---- drawing ----

  function colours() {
    const table = maps[state.column === "delta_qs" ? "RdBu_r" : state.map];
    const packed = new Uint32Array(256);
    for (let i = 0; i < 256; i++) packed[i] = 0xff000000 | table[3 * i + 2] << 16 | table[3 * i + 1] << 8 | table[3 * i];
    return packed;
  }

  const ranges = {}; // of columns whose range nobody named: fixed once seen, so that strains compare

  function range() {
    const found = autoRange();
    return [state.low === null ? found[0] : state.low, state.high === null ? found[1] : state.high];
  }

  function autoRange() {
    const threshold = shown().threshold;
    if (state.column === "qs" || state.column === "step_qs") return [0, 1];
    if (state.column === "d2min" && threshold !== null) return [0, 2 * threshold];
    const key = [state.column, state.glass, state.beside].join();
    if (!ranges[key]) {
      const values = panels.filter(p => p.data && !p.figure.hidden).flatMap(p => Array.from(p.data.value).filter(Number.isFinite)).sort((a, b) => a - b);
      if (!values.length) return [0, 1];
      let low = values[Math.floor(0.02 * (values.length - 1))], high = values[Math.ceil(0.98 * (values.length - 1))];
      if (state.column === "delta_qs") { high = Math.max(Math.abs(low), Math.abs(high)) || 0.1; low = -high; }
      if (high <= low) high = low + (Math.abs(low) || 1) * 1e-3;
      // All zero at first, as ΔQS of the undeformed glass is: the next frame will tell.
      if (state.column === "delta_qs" && state.frame === 0) return [low, high];
      ranges[key] = [low, high];
    }
    return ranges[key];
  }

  // A colour for every atom of a panel, 0 for those that are shown as faint ones.
  function coloursOf(panel) {
    const {data} = panel, n = data.row.length, out = new Uint32Array(n), table = colours(), [low, high] = range();
    const kinds = KINDS.map(packedColour), unknown = packedColour(theme("between"));
    const classes = ["hard-atoms", "between", "soft-atoms"].map(name => packedColour(theme(name)));
    const factor = 255.999 / (high - low);
    for (let i = 0; i < n; i++) {
      if (!isShown(data, i)) continue;
      if (state.column === "species") out[i] = kinds[data.species[i] % kinds.length];
      else if (state.column === "class") out[i] = classOf(data.qs ? data.qs[i] : data.value[i], classes, unknown);
      else {
        const value = data.value[i];
        out[i] = Number.isFinite(value) ? table[Math.min(255, Math.max(0, Math.floor((value - low) * factor)))] : unknown;
      }
    }
    return out;
  }

  const classOf = (qs, [hard, between, soft], unknown) => qs > state.soft ? soft : qs < state.hard ? hard : qs === qs ? between : unknown;

  function isShown(data, i) {
    if (state.kind === "all" || !data.qs) return true;
    if (state.kind === "soft") return data.qs[i] > state.soft;
    if (state.kind === "hard") return data.qs[i] < state.hard;
    return data.d2[i] > shown().threshold;
  }

  function draw() {
    for (const panel of panels) if (panel.data && !panel.figure.hidden) fit(panel);
    if (state.view === "slice") drawSlices();
    else for (const panel of panels) if (panel.data && !panel.figure.hidden) drawCloud(panel);
    drawLegend();
    drawHistogram();
    drawCurves();
    drawStress();
    drawAtomCurve();
    tellWhere();
    page.dataset.drawn = [state.view, ...panels.filter(p => !p.figure.hidden).map(p => p.words.frame)].join(" ");
  }

  function fit(panel) {
    const scale = window.devicePixelRatio || 1, box = panel.lines.getBoundingClientRect();
    const width = Math.max(50, Math.round(box.width * scale)), height = Math.max(50, Math.round(box.height * scale));
    for (const canvas of [panel.atoms, panel.lines]) if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, {width, height});
    panel.ratio = scale;
  }

  // Ends of the picture in the plane: the box, and atoms beyond its free faces.
  function extentOf({data}) {
    const [a, b] = data.plane, u = [0, a[0], b[0], a[0] + b[0]], v = [0, a[1], b[1], a[1] + b[1]];
    const low = [Math.min(...u), Math.min(...v)], high = [Math.max(...u), Math.max(...v)];
    if (!data.periodic[0] || !data.periodic[1]) {
      for (let i = 0; i < data.u.length; i++) {
        low[0] = Math.min(low[0], data.u[i]); high[0] = Math.max(high[0], data.u[i]);
        low[1] = Math.min(low[1], data.v[i]); high[1] = Math.max(high[1], data.v[i]);
      }
    }
    return {low, high};
  }

  function drawSlices() {
    const all = panels.filter(p => p.data && !p.figure.hidden), extents = all.map(extentOf);
    // One scale for all of them, the same along both axes.
    const scale = Math.min(...all.map((panel, i) => {
      const {low, high} = extents[i], margin = 34 * panel.ratio;
      return Math.min((panel.atoms.width - 2 * margin) / (high[0] - low[0]), (panel.atoms.height - 2 * margin) / (high[1] - low[1]));
    }));
    all.forEach((panel, i) => drawSlice(panel, extents[i], Math.max(scale, 1e-6)));
  }

  function drawSlice(panel, {low, high}, scale) {
    const {data, glass, atoms} = panel, raster = new Raster(atoms, theme("field"));
    const left = Math.round((atoms.width - scale * (high[0] - low[0])) / 2 - scale * low[0]);
    const bottom = Math.round((atoms.height + scale * (high[1] - low[1])) / 2 + scale * low[1]);
    Object.assign(panel, {scale, left, bottom});
    Object.assign(panel.figure.dataset, {scale, left, bottom, ratio: panel.ratio});
    const colour = coloursOf(panel), size = glass.radius.map(r => Math.round(SIZE * r * scale)), faint = packedColour(theme("faint"));
    const n = data.row.length;
    if (state.kind !== "all") for (let i = 0; i < n; i++) if (!colour[i]) {
      raster.disc(Math.round(left + scale * data.u[i]), Math.round(bottom - scale * data.v[i]), Math.round(size[data.species[i]] / 3), faint);
    }
    for (let i = 0; i < n; i++) if (colour[i]) {
      const x = Math.round(left + scale * data.u[i]), y = Math.round(bottom - scale * data.v[i]), r = size[data.species[i]];
      if (r > 3) {
        raster.disc(x, y, r, darker(colour[i]));
        raster.disc(x, y, r - Math.max(1, Math.round(r / 12)), colour[i]);
      } else raster.disc(x, y, r, colour[i]);
    }
    raster.done();
    drawLines(panel);
    tell(panel);
  }

  function pen(panel) {
    const context = panel.lines.getContext("2d");
    context.clearRect(0, 0, panel.lines.width, panel.lines.height);
    context.font = `${12 * panel.ratio}px system-ui, sans-serif`;
    context.lineJoin = "round";
    return context;
  }

  function drawLines(panel) {
    const {data, scale, left, bottom, ratio} = panel, context = pen(panel), ink = theme("ink"), paper = theme("field");
    const to = (u, v) => [left + scale * u, bottom - scale * v], [a, b] = data.plane;
    const stroke = (colour, width) => { context.strokeStyle = colour; context.lineWidth = width * ratio; context.stroke(); };
    context.beginPath();
    [[0, 0], a, [a[0] + b[0], a[1] + b[1]], b, [0, 0]].forEach((p, i) => i ? context.lineTo(...to(...p)) : context.moveTo(...to(...p)));
    stroke(ink, 1.5);
    if (state.marked === "contours" && data.map && panel.glass.moved) panel.glass.levels.forEach((level, i) => {
      context.beginPath();
      contour(data, level, (p, q) => { context.moveTo(...to(...p)); context.lineTo(...to(...q)); });
      stroke(paper, i ? 5 : 3.5);
      stroke(ink, i ? 2.2 : 1);
    });
    if (state.marked === "rings" && panel.glass.threshold !== null) {
      context.beginPath();
      for (let i = 0; i < data.row.length; i++) if (data.d2[i] > panel.glass.threshold) {
        const [x, y] = to(data.u[i], data.v[i]), r = Math.max(2 * ratio, SIZE * panel.glass.radius[data.species[i]] * scale);
        context.moveTo(x + r, y);
        context.arc(x, y, r, 0, 7);
      }
      stroke(paper, 4);
      stroke(ink, 2);
    }
    mark(panel, context, i => to(data.u[i], data.v[i]), i => SIZE * panel.glass.radius[data.species[i]] * scale);
    context.fillStyle = theme("soft");
    const length = niceLength(100 * ratio / scale), [x, y] = [12 * ratio, panel.lines.height - 10 * ratio];
    context.fillRect(x, y, length * scale, 2 * ratio);
    context.fillText(`${length} ${panel.glass.length}`, x, y - 5 * ratio);
    const word = `${data.axes[0]} →   ${data.axes[1]} ↑`;
    context.fillText(word, panel.lines.width - context.measureText(word).width - 12 * ratio, y);
  }

  // A ring around the atom that was picked.
  function mark(panel, context, place, radius) {
    if (panel.g !== state.glass || state.row === null) return;
    const i = panel.data.row.indexOf(state.row);
    if (i < 0) return;
    const [x, y] = place(i), r = Math.max(5 * panel.ratio, radius(i) + 3 * panel.ratio);
    for (const [colour, width] of [[theme("field"), 6], [theme("warn"), 3]]) {
      context.beginPath();
      context.arc(x, y, r, 0, 7);
      context.strokeStyle = colour;
      context.lineWidth = width * panel.ratio;
      context.stroke();
    }
  }

  function tell(panel) {
    const {data, glass, words} = panel, n = data.row.length;
    let soft = 0, hard = 0, plastic = 0;
    for (let i = 0; i < n; i++) {
      soft += data.qs[i] > state.soft;
      hard += data.qs[i] < state.hard;
      plastic += data.d2[i] > glass.threshold;
    }
    const parts = [`${number(n)} atoms`];
    if (glass.model) parts.push(`${number(soft)} soft`, `${number(hard)} hard`);
    if (glass.moved && glass.threshold !== null) parts.push(`${number(plastic)} plastic`);
    const where = `${state.axis} = ${short(words.centre)} ± ${short(state.thickness / 2)} ${glass.length}`;
    panel.caption.textContent = `${glass.name}, ${momentOf(glass, words.frame)}: slice ${where}, ${parts.join(", ")}`;
    panel.lines.setAttribute("aria-label", `${panel.caption.textContent}, coloured by ${titleOf(state.column)}`);
    if (panel === panels[0]) say(panel.caption.textContent);
  }

  function drawLegend() {
    const categories = {species: shown().species.map((name, i) => [name, KINDS[i % KINDS.length]]),
      class: [["hard", theme("hard-atoms")], ["between", theme("between")], ["soft", theme("soft-atoms")]]}[state.column];
    const about = columns().find(c => c.name === state.column);
    const unit = about.unit && about.unit !== "1" ? `, ${about.unit.replace("angstrom", "Å").replace("^2", "²").replace("^3", "³")}` : "";
    $("legend-map").hidden = Boolean(categories);
    $("legend-name").textContent = `${titleOf(state.column)}${unit}: ${about.meaning}`;
    $("legend-low").replaceChildren();
    $("legend-high").textContent = "";
    if (categories) {
      for (const [name, colour] of categories) {
        const swatch = document.createElement("span");
        swatch.className = "swatch";
        swatch.style.background = colour;
        $("legend-low").append(swatch, name);
      }
      return;
    }
    const [low, high] = range(), context = $("legend-map").getContext("2d"), image = context.createImageData(256, 12);
    const pixels = new Uint32Array(image.data.buffer), table = colours();
    for (let p = 0; p < pixels.length; p++) pixels[p] = table[p % 256];
    context.putImageData(image, 0, 0);
    $("legend-low").textContent = short(low);
    $("legend-high").textContent = short(high);
  }

  // ---- three dimensions ----

  function drawCloud(panel) {
    const {data, glass, atoms, ratio} = panel, raster = new Raster(atoms, theme("field")), depth = new Float32Array(atoms.width * atoms.height).fill(Infinity);
    const cell = data.cell, middle = [0, 1, 2].map(k => data.origin[k] + (cell[0][k] + cell[1][k] + cell[2][k]) / 2);
    const reach = Math.hypot(...[0, 1, 2].map(k => cell[0][k] + cell[1][k] + cell[2][k])) / 2;
    const [ct, st, cp, sp] = [Math.cos(state.turn), Math.sin(state.turn), Math.cos(state.tilt), Math.sin(state.tilt)];
    const eye = 3.5 * reach, scale = 1.05 * eye * state.zoom * Math.min(atoms.width, atoms.height) / (2.1 * reach);
    const project = (px, py, pz) => {
      const x = px - middle[0], y = py - middle[1], z = pz - middle[2];
      const a = ct * x + st * y, b = ct * y - st * x, up = cp * z - sp * b, away = cp * b + sp * z + eye;
      const near = scale / away;
      return [atoms.width / 2 + near * a, atoms.height / 2 - near * up, away, near];
    };
    const colour = coloursOf(panel), n = data.row.length, table = new Map();
    panel.projected = new Float32Array(3 * n);
    for (let i = 0; i < n; i++) {
      const [x, y, away, near] = project(data.x[i], data.y[i], data.z[i]);
      panel.projected.set([x, y, away], 3 * i);
      if (away <= 0.05 * reach) continue;
      const r = Math.max(0, Math.round(0.6 * glass.radius[data.species[i]] * near)), [xi, yi] = [Math.round(x), Math.round(y)];
      if (r > 200 || xi < -r || yi < -r || xi > atoms.width + r || yi > atoms.height + r) continue;
      if (r > 2) raster.disc(xi, yi, r, table.get(colour[i]) || table.set(colour[i], darker(colour[i])).get(colour[i]), depth, away + 1e-3);
      raster.disc(xi, yi, Math.max(0, r > 2 ? r - 1 : r), colour[i], depth, away);
    }
    raster.done();
    const context = pen(panel), corner = (i, j, k) => project(...[0, 1, 2].map(d => data.origin[d] + i * cell[0][d] + j * cell[1][d] + k * cell[2][d]));
    context.beginPath();
    for (const [p, q] of edges()) {
      context.moveTo(...corner(...p).slice(0, 2));
      context.lineTo(...corner(...q).slice(0, 2));
    }
    context.strokeStyle = theme("soft");
    context.lineWidth = ratio;
    context.stroke();
    context.fillStyle = theme("soft");
    for (const [name, p] of [["x", [1, 0, 0]], ["y", [0, 1, 0]], ["z", [0, 0, 1]]]) context.fillText(name, ...corner(...p).slice(0, 2));
    mark(panel, context, i => [panel.projected[3 * i], panel.projected[3 * i + 1]], () => 4 * ratio);
    const sampled = n < data.total ? `; drawn are ${number(n)} of them, evenly sampled` : "";
    panel.caption.textContent = `${glass.name}, ${momentOf(glass, panel.words.frame)}: ${number(data.total)} atoms with QS above ${state.above}${sampled}`;
    panel.lines.setAttribute("aria-label", `${panel.caption.textContent}, in three dimensions, coloured by ${titleOf(state.column)}`);
    if (panel === panels[0]) say(panel.caption.textContent);
  }

  // ---- charts ----

  function drawHistogram() {
    const node = $("bars"), found = counts[state.glass]?.softness;
    const key = [state.glass, state.soft, state.hard, found?.done, found?.why, node.clientWidth].join();
    if (node.dataset.key === key) return;
    node.dataset.key = key;
    node.replaceChildren();
    if (!found || !found.count) {
      $("shares").textContent = found?.why || "Counting…";
      return;
    }
    // The handles' middles go from 8 to width - 8.
    const width = node.clientWidth, height = node.clientHeight, most = Math.max(...found.count, 1), n = found.count.length;
    const x = q => 8 + q * (width - 16);
    found.count.forEach((count, i) => {
      const middle = (i + 0.5) / n, kind = middle > state.soft ? "soft" : middle < state.hard ? "hard" : "between";
      const bar = svg("rect", {class: kind, x: x(i / n), y: height - 14 - (height - 18) * count / most, width: Math.max(1, (width - 16) / n - 1), height: (height - 18) * count / most}, node);
      svg("title", {}, bar, `QS ${short(i / n)} to ${short((i + 1) / n)}: ${number(count)} atoms`);
    });
    for (const q of [0, 0.25, 0.5, 0.75, 1]) svg("text", {x: x(q), y: height - 2, "text-anchor": q === 0 ? "start" : q === 1 ? "end" : "middle"}, node, q);
    for (const q of [state.hard, state.soft]) svg("line", {class: "axis", x1: x(q), x2: x(q), y1: 0, y2: height - 14}, node);
    const at = name => Math.round(state[name] * (marks.length - 1)), share = k => `${number(k)} (${percent(k / found.usable)})`;
    const soft = found.above[at("soft")], hard = found.below[at("hard")];
    const sofar = found.done < found.of ? ` So far, ${percent(found.done / found.of)} read.` : "";
    const left = found.unusable ? ` ${number(found.unusable)} atoms without QS or near surfaces are left out.` : "";
    $("shares").textContent = `Soft, QS > ${state.soft}: ${share(soft)}. Hard, QS < ${state.hard}: ${share(hard)}. ` +
      `Mean ${short(found.mean)}, spread ${short(found.std)}.${left}${sofar}`;
    Object.assign($("shares").dataset, {soft, hard, usable: found.usable});
  }

  function drawCurves() {
    const node = $("curves"), found = counts[state.glass]?.activation, glass = shown();
    node.replaceChildren();
    if (!found || !found.n_plastic) {
      $("activation").textContent = found?.why || (counts[state.glass] ? "Counting…" : "");
      return;
    }
    const expected = {qs_mean_newly: found.qs_mean_at_risk, auc: glass.strain.map(() => 0.5)}[state.curve];
    chart(node, glass, [found[state.curve]], {expected, label: LABELS[state.curve], zero: state.curve.endsWith("fraction")});
    const f = state.frame, from = Math.round(state.soft * (marks.length - 1)), to = Math.round(state.hard * (marks.length - 1));
    const sum = (list, a, b) => list.slice(a, b).reduce((s, k) => s + k, 0);
    const part = (a, b) => { const all = sum(found.usable_by_qs, a, b); return all ? percent(sum(found.plastic_by_qs[f], a, b) / all) : "–"; };
    const sofar = found.done < found.of ? ` So far, ${percent(found.done / found.of)} read.` : "";
    const dashed = state.curve === "qs_mean_newly" ? " Dashed: if softness did not matter." : state.curve === "auc" ? " Dashed: chance." : "";
    $("activation").textContent = `At ${momentOf(glass, f)}: ${number(found.n_plastic[f])} plastic, ${number(found.n_newly[f])} of them for the first time. ` +
      `Plastic are ${part(from)} of the soft, ${part(0, to)} of the hard, ${part(0)} of all atoms.${dashed}${sofar}`;
  }

  function drawStress() {
    const glass = shown(), {value, unit} = glass.stress || {}, node = $("stress-curve");
    $("stress").hidden = !value;
    node.replaceChildren();
    if (!value) return;
    chart(node, glass, [value], {label: unit});
    const now = value[state.frame], without = value.filter(v => v === null).length;
    const gaps = without ? ` ${number(without)} of ${number(value.length)} frames have no row in the table.` : "";
    $("stress-told").textContent = `At ${momentOf(glass, state.frame)}: ${now === null ? "none" : `${short(now)} ${unit}`}, along the loading.${gaps}`;
  }

  // A curve over the frames with a cursor at this one; strain is the axis where it tells frames.
  function chart(node, glass, curves, {expected, label, zero, level} = {}) {
    const width = node.clientWidth, height = node.clientHeight, left = 40, right = 8, top = 12, bottom = 16;
    const along = new Set(glass.branch).size > 1 || glass.strain.length < 2 ? glass.strain.map((_, i) => i) : glass.strain;
    const known = [...curves.flat(), ...(expected || []), ...(level === undefined ? [] : [level])].filter(v => v !== null);
    if (!known.length) return;
    let low = zero ? 0 : Math.min(...known), high = Math.max(...known);
    if (high <= low) high = low + 1e-6 + Math.abs(low) * 0.1;
    const ends = [Math.min(...along), Math.max(...along)], x = e => left + (width - left - right) * (e - ends[0]) / (ends[1] - ends[0] || 1);
    const y = v => top + (height - top - bottom) * (high - v) / (high - low);
    svg("path", {class: "axis", fill: "none", d: `M${left},${top}V${height - bottom}H${width - right}`}, node);
    svg("text", {x: left - 4, y: top + 4, "text-anchor": "end"}, node, short(Number(high.toPrecision(3))));
    svg("text", {x: left - 4, y: height - bottom, "text-anchor": "end"}, node, short(Number(low.toPrecision(3))));
    svg("text", {x: left + 4, y: top - 2}, node, label);
    const inPercent = along === glass.strain;
    for (const [k, anchor] of [[0, "start"], [1, "end"]]) svg("text", {x: x(ends[k]), y: height - 3, "text-anchor": anchor}, node, inPercent ? percent(ends[k]) : `frame ${ends[k]}`);
    const path = values => {
      let d = "", on = false;
      values.forEach((v, i) => { if (v === null) { on = false; return; } d += `${on ? "L" : "M"}${x(along[i]).toFixed(1)},${y(v).toFixed(1)}`; on = true; });
      return d;
    };
    if (expected) svg("path", {class: "expected", d: path(expected)}, node);
    if (level !== undefined) svg("path", {class: "expected", d: `M${left},${y(level)}H${width - right}`}, node);
    for (const curve of curves) svg("path", {class: "curve", d: path(curve)}, node);
    const now = along[state.frame];
    svg("line", {class: "cursor", x1: x(now), x2: x(now), y1: top, y2: height - bottom}, node);
    const here = curves[0][state.frame];
    if (here !== null && here !== undefined) svg("circle", {class: "dot", cx: x(now), cy: y(here), r: 4}, node);
    node.onclick = event => {
      const at = (event.clientX - node.getBoundingClientRect().left - left) / (width - left - right) * (ends[1] - ends[0]) + ends[0];
      let best = 0;
      along.forEach((e, i) => { if (Math.abs(e - at) < Math.abs(along[best] - at)) best = i; });
      change({frame: best});
    };
  }

  async function countUntilDone(g) {
    for (let wait = 200; ; wait = Math.min(2 * wait, 3000)) {
      try {
        counts[g] = jsonOf(await ask("counts", {glass: g}));
      } catch (error) {
        say(error.message, true);
        return;
      }
      if (g === state.glass) { drawHistogram(); drawCurves(); }
      if (counts[g].finished || ended.signal.aborted) return;
      await new Promise(resolve => setTimeout(resolve, wait));
    }
  }

  // ---- one atom ----

  let atomShown = {row: null, frame: null, glass: null, told: null};

  async function loadAtom() {
    const {row, frame, glass} = state;
    atomShown = {row, frame, glass, told: null};
    if (row !== null) atomShown.told = jsonOf(await ask("atom", {glass, row, frame}));
    showAtom();
  }

  function showAtom() {
    const told = atomShown.told, glass = shown();
    $("atom").hidden = !told;
    $("no-atom").hidden = Boolean(told);
    if (told) {
      const unit = `${glass.length}²`, rows = [["id", told.id], ["element", told.element], ["position", `${told.position.map(short).join(", ")} ${glass.length}`]];
      if ("qs" in told) rows.push(["QS", told.qs === null ? "none" : `${short(told.qs)} ± ${short(told.qs_std)}`]);
      if ("step_qs" in told) rows.push(["QS of the frame", short(told.step_qs)]);
      if ("outside" in told) rows.push(["outside", `${short(told.outside)}${told.outside > 1 ? ": unlike the training atoms" : ""}`]);
      if (told.voronoi) rows.push(["Voronoi index", `<${told.voronoi.map(short).join(" ")}>`]);
      if (told.contributions?.length) rows.push(["made soft by", told.contributions.map(c => `${c.added > 0 ? "+" : "−"}${short(Math.abs(c.added))} ${c.meaning}`).join("\n")]);
      if (told.d2) rows.push(["D²min", told.d2[state.frame] === null ? "none" : `${short(told.d2[state.frame])} ${unit}`]);
      $("atom").tBodies[0].replaceChildren(...rows.map(([name, value]) => {
        const line = document.createElement("tr"), head = document.createElement("th"), cell = document.createElement("td");
        head.scope = "row";
        head.textContent = name;
        cell.textContent = value;
        line.append(head, cell);
        return line;
      }));
      say(`Atom ${told.id}, ${told.element}${"qs" in told ? `, QS ${short(told.qs)}` : ""}${told.d2 ? `, D²min ${short(told.d2[state.frame])} ${unit}` : ""}`);
    }
    drawAtomCurve();
    tellWhere();
  }

  function tellWhere() {
    $("elsewhere").hidden = !atomShown.told || state.view !== "slice" || !panels[0].data || panels[0].data.row.includes(state.row);
  }

  // Coordinate along the normal of the slice, moved into the box.
  function heightOf(position) {
    const glass = shown(), k = AXES[state.axis], at = position.reduce((s, x, i) => s + x * glass.normal[k][i], 0) - glass.low[k];
    return rounded(glass.low[k] + at - glass.height[k] * Math.floor(at / glass.height[k]));
  }

  function drawAtomCurve() {
    const told = atomShown.told, node = $("atom-curve"), glass = shown();
    node.toggleAttribute("hidden", !told?.d2 || told.d2.length < 2);
    node.replaceChildren();
    if (told?.d2 && told.d2.length > 1 && atomShown.glass === state.glass) {
      chart(node, glass, [told.d2], {label: `D²min, ${glass.length}²`, zero: true, level: glass.threshold === null ? undefined : glass.threshold});
    }
  }

  // Place of an atom of a panel in pixels of its canvas.
  function placeOf(panel, i) {
    if (state.view === "above") return [panel.projected[3 * i], panel.projected[3 * i + 1]];
    return [panel.left + panel.scale * panel.data.u[i], panel.bottom - panel.scale * panel.data.v[i]];
  }

  function nearest(panel, x, y, allowed = () => true) {
    let best = -1, least = Infinity;
    for (let i = 0; i < panel.data.row.length; i++) {
      const [px, py] = placeOf(panel, i), away = (px - x) ** 2 + (py - y) ** 2;
      if (away < least && allowed(px - x, py - y, i)) [best, least] = [i, away];
    }
    return best;
  }

  function nearestInFront(panel, x, y) {
    // Of the atoms under the pointer the one in front; else the nearest.
    const reach = (6 * panel.ratio) ** 2;
    let best = -1, front = Infinity;
    for (let i = 0; i < panel.data.row.length; i++) {
      const [px, py] = placeOf(panel, i);
      if ((px - x) ** 2 + (py - y) ** 2 < reach && panel.projected[3 * i + 2] < front) [best, front] = [i, panel.projected[3 * i + 2]];
    }
    return best >= 0 ? best : nearest(panel, x, y);
  }

  function pick(panel, i) {
    if (i < 0) return;
    const patch = {row: panel.data.row[i]};
    if (panel.g !== state.glass) Object.assign(patch, {glass: panel.g, beside: state.glass, frame: panel.words.frame, centre: panel.words.centre ?? state.centre});
    change(patch);
  }

  // ---- what leaves the page ----

  function picture() {
    const all = panels.filter(p => !p.figure.hidden), ratio = all[0].ratio, gap = 12 * ratio, foot = 64 * ratio;
    const made = document.createElement("canvas"), width = all.reduce((s, p) => s + p.atoms.width + gap, -gap);
    Object.assign(made, {width, height: all[0].atoms.height + foot});
    const context = made.getContext("2d");
    context.fillStyle = theme("paper");
    context.fillRect(0, 0, made.width, made.height);
    context.font = `${12 * ratio}px system-ui, sans-serif`;
    let x = 0;
    for (const panel of all) {
      context.drawImage(panel.atoms, x, 0);
      context.drawImage(panel.lines, x, 0);
      context.fillStyle = theme("ink");
      context.fillText(panel.caption.textContent, x + 8 * ratio, panel.atoms.height + 18 * ratio, panel.atoms.width - 16 * ratio);
      x += panel.atoms.width + gap;
    }
    const y = all[0].atoms.height + 46 * ratio;
    if ($("legend-map").hidden) {
      context.fillText([...$("legend-low").childNodes].map(n => n.textContent).filter(Boolean).join(", ") + `: ${$("legend-name").textContent}`, 8 * ratio, y);
    } else {
      context.fillText($("legend-low").textContent, 8 * ratio, y);
      context.drawImage($("legend-map"), 60 * ratio, y - 10 * ratio, 160 * ratio, 12 * ratio);
      context.fillText(`${$("legend-high").textContent}   ${$("legend-name").textContent}`, 228 * ratio, y);
    }
    return made;
  }

  function selectionWords() {
    const {glass, frame, axis, centre, thickness, place, soft, hard} = state, column = state.column === "class" ? "qs" : state.column;
    const above = state.view === "above";
    return {glass, frame, axis, centre, thickness, place, hard, column, view: state.view, soft: above ? state.above : soft, kind: above ? "soft" : state.kind};
  }

  const DEEDS = {
    png: () => picture().toBlob(blob => { save(blob, `${shown().name}-${state.frame}.png`); say("PNG saved"); }),
    extxyz: async () => {
      save(new Blob([await ask("selection", selectionWords())], {type: "chemical/x-extxyz"}), `${shown().name}-${state.frame}.extxyz`);
      say("extxyz saved");
    },
    python: async () => {
      const text = textOf(await ask("python", selectionWords()));
      await copy(text);
      say(`Copied: ${text}`);
    },
  };

  // ---- play ----

  let playing = false;

  async function play(on) {
    playing = on;
    $("play").textContent = on ? "Stop" : "Play";
    $("play").setAttribute("aria-pressed", String(on));
    while (playing) {
      const begun = performance.now();
      change({frame: (state.frame + 1) % shown().strain.length});
      while (asking) await new Promise(requestAnimationFrame);
      await new Promise(resolve => setTimeout(resolve, Math.max(0, 250 - (performance.now() - begun))));
    }
  }

  // ---- hands on the controls ----

  function listen() {
    for (const id of ["view", "axis", "place", "column", "map", "kind", "marked", "curve"]) $(id).addEventListener("change", () => change({[id]: $(id).value}));
    $("column").addEventListener("change", () => change({low: null, high: null}));
    $("axis").addEventListener("change", () => change({centre: null}));
    for (const id of ["glass", "beside"]) $(id).addEventListener("change", () => change({[id]: Number($(id).value), ...(id === "glass" ? {row: null, centre: null} : {})}));
    for (const id of ["frame", "centre"]) $(id).addEventListener("input", () => change({[id]: Number($(id).value)}));
    for (const id of ["low", "high", "above", "thickness"]) $(id).addEventListener("change", () => change({[id]: numberOf($(id)) ?? WORDS[id]}));
    $("centre-number").addEventListener("change", () => change({centre: numberOf($("centre-number"))}));
    $("soft").addEventListener("input", () => handles({soft: Number($("soft").value), hard: Math.min(state.hard, Number($("soft").value))}));
    $("hard").addEventListener("input", () => handles({hard: Number($("hard").value), soft: Math.max(state.soft, Number($("hard").value))}));
    $("to-atom").addEventListener("click", () => change({centre: heightOf(atomShown.told.position)}));
    $("play").addEventListener("click", () => play(!playing));
    for (const [id, deed] of Object.entries(DEEDS)) $(id).addEventListener("click", () => Promise.resolve().then(deed).catch(error => say(error.message, true)));
    for (const panel of panels) listenTo(panel);
    const redraw = () => panels[0].data && draw();
    root.addEventListener("keydown", key, {signal: ended.signal});
    link.onState(() => { readAddress(); showControls(); refresh(); }, ended.signal);
    link.onTheme(() => { inks.clear(); redraw(); }, ended.signal);
    const sizes = new ResizeObserver(redraw);
    for (const panel of panels) sizes.observe(panel.lines);
    ended.signal.addEventListener("abort", () => { playing = false; sizes.disconnect(); });
  }

  // The handles ask nothing of the server.
  function handles(patch) {
    Object.assign(state, patch);
    writeAddress();
    showControls();
    if (panels[0].data) draw();
  }

  function listenTo(panel) {
    let held = null;
    panel.lines.addEventListener("pointerdown", event => { held = {x: event.clientX, y: event.clientY, moved: false}; panel.lines.setPointerCapture(event.pointerId); });
    panel.lines.addEventListener("pointermove", event => {
      if (!held) return;
      const dx = event.clientX - held.x, dy = event.clientY - held.y;
      if (Math.hypot(dx, dy) > 4) held.moved = true;
      if (held.moved && state.view === "above") {
        turn({turn: state.turn + dx / 150, tilt: state.tilt + dy / 150});
        Object.assign(held, {x: event.clientX, y: event.clientY});
      }
    });
    panel.lines.addEventListener("pointerup", event => {
      const was = held, box = panel.lines.getBoundingClientRect();
      held = null;
      if (!was || was.moved || !panel.data) return;
      const x = (event.clientX - box.left) * panel.ratio, y = (event.clientY - box.top) * panel.ratio;
      pick(panel, state.view === "above" ? nearestInFront(panel, x, y) : nearest(panel, x, y));
    });
    panel.lines.addEventListener("wheel", event => {
      if (state.view !== "above") return;
      event.preventDefault();
      turn({zoom: state.zoom * Math.exp(-event.deltaY / 600)});
    }, {passive: false});
    panel.lines.addEventListener("keydown", event => pictureKey(panel, event));
  }

  function turn(patch) {
    Object.assign(state, patch);
    state.tilt = Math.min(Math.max(state.tilt, -Math.PI / 2), Math.PI / 2);
    state.zoom = Math.min(Math.max(state.zoom, 0.2), 20);
    writeAddress();
    if (panels[0].data) requestAnimationFrame(draw);
  }

  function pictureKey(panel, event) {
    const way = WAYS[event.key], cloud = state.view === "above";
    if (!panel.data || !(way || event.key === "Enter" || (cloud && "+-=".includes(event.key)))) return;
    event.preventDefault();
    event.stopPropagation();
    const middle = [panel.lines.width / 2, panel.lines.height / 2];
    if (event.key === "Enter") pick(panel, cloud ? nearestInFront(panel, ...middle) : nearest(panel, ...middle));
    else if (!way) turn({zoom: state.zoom * (event.key === "-" ? 1 / 1.2 : 1.2)});
    else if (cloud) turn({turn: state.turn + way[0] * 0.15, tilt: state.tilt + way[1] * 0.15});
    else {
      const from = panel.g === state.glass ? panel.data.row.indexOf(state.row) : -1;
      if (from < 0) pick(panel, nearest(panel, ...middle));
      // The nearest atom within 45 degrees of the way.
      else pick(panel, nearest(panel, ...placeOf(panel, from), (dx, dy, i) => i !== from && dx * way[0] + dy * way[1] >= Math.abs(dx * way[1] - dy * way[0]) && (dx || dy)));
    }
  }

  function key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || ["SELECT", "TEXTAREA"].includes(event.target.tagName) || event.target.type === "number") return;
    const glass = shown(), last = glass.strain.length - 1, k = AXES[state.axis];
    const deed = {
      ",": () => change({frame: Math.max(0, state.frame - 1)}),
      ".": () => change({frame: Math.min(last, state.frame + 1)}),
      "[": () => change({centre: rounded(Math.max(glass.low[k], state.centre - state.thickness / 2))}),
      "]": () => change({centre: rounded(Math.min(glass.low[k] + glass.height[k], state.centre + state.thickness / 2))}),
      p: () => last && play(!playing),
    }[event.key];
    if (deed) { event.preventDefault(); deed(); }
  }

  // ---- beginning ----

  async function begin() {
    try {
      ({glasses, maps, marks} = jsonOf(await ask("glasses")));
    } catch (error) {
      $("about").textContent = "";
      say(error.message, true);
      return;
    }
    link.name(`${glasses.map(g => g.name).join(", ")}: qsdask explore`);
    $("title").textContent = glasses.map(g => g.name).join(", ");
    $("about").textContent = glasses.map(g => `${number(g.atoms)} atoms, ${g.strain.length} frames${g.model ? `, QS of ${g.model}` : ", no softness"}${g.moved ? "" : ", no D²min"}`).join("; ");
    readAddress();
    listen();
    showControls();
    await refresh();
    glasses.forEach((_, g) => countUntilDone(g));
  }

  begin();
  return () => ended.abort();
}

// anywidget calls `render`; the page of a server says that it is one.
export default {render: ({model, el}) => {
  const host = document.createElement("div");
  el.append(host);
  return explore(inNotebook(model, host));
}};

if (document.body.dataset.served !== undefined) explore(inBrowser());
