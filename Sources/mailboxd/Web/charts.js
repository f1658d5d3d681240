// Small charts in SVG.

const space = "http://www.w3.org/2000/svg";
const width = 240;
const height = 56;

const draw = (tag, attributes) => {
  const node = document.createElementNS(space, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
};

const canvas = () => draw("svg", {
  viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true",
});

// One or more lines over time, the newest at the right.
export class LineChart {
  static points = 120;
  #series; #area; #lines; #rule;
  node = canvas();

  // show: what is said while a point in the past is looked at; nothing when none is.
  constructor(count, show) {
    this.#series = Array.from({ length: count }, () => []);
    this.#area = draw("path", { class: "area" });
    this.#lines = this.#series.map((_, index) => draw("path", { class: `line line-${index}` }));
    this.#rule = draw("path", { class: "rule" });
    this.node.append(this.#area, ...this.#lines, this.#rule);
    this.node.onpointermove = ({ offsetX }) => {
      const ago = Math.round((1 - offsetX / this.node.clientWidth) * (LineChart.points - 1));
      const values = this.#series.map((points) => points[points.length - 1 - ago]);
      if (values.every((value) => value === undefined)) return;
      const x = width * (1 - ago / (LineChart.points - 1));
      this.#rule.setAttribute("d", `M${x} 0V${height}`);
      show(values, ago);
    };
    this.node.onpointerleave = () => {
      this.#rule.setAttribute("d", "");
      show();
    };
  }

  push(values) {
    values.forEach((value, index) => {
      this.#series[index].push(value);
      if (this.#series[index].length > LineChart.points) this.#series[index].shift();
    });
    const all = this.#series.flat().filter((value) => value !== undefined);
    const top = Math.max(...all, 0) * 1.1 || 1;
    const paths = this.#series.map((points) => this.#path(points, top));
    this.#lines.forEach((line, index) => line.setAttribute("d", paths[index]));
    const [first] = paths;
    const begin = first && first.slice(1, first.indexOf(" "));
    this.#area.setAttribute(
      "d", first && !first.includes("M", 1) ? `${first}V${height}H${begin}Z` : "");
  }

  #path(points, top) {
    let path = "";
    points.forEach((value, index) => {
      if (value === undefined) return;
      const x = width * (1 - (points.length - 1 - index) / (LineChart.points - 1));
      const y = height - 2 - (value / top) * (height - 4);
      const isFirst = !path || points[index - 1] === undefined;
      path += `${isFirst ? "M" : "L"}${x.toFixed(1)} ${y.toFixed(1)}`;
    });
    return path;
  }
}

// How often each size came: one bar a power of two.
export class BarChart {
  node = canvas();
  #bars;

  constructor(count) {
    const step = width / count;
    this.#bars = Array.from({ length: count }, (_, index) => draw("rect", {
      class: "column", x: (index * step + 1).toFixed(1), width: (step - 2).toFixed(1), y: height,
      height: 0, rx: 1.5,
    }));
    this.node.append(draw("path", { class: "rule", d: `M0 ${height - .5}H${width}` }), ...this.#bars);
  }

  show(counts) {
    const top = Math.max(...counts, 1);
    this.#bars.forEach((bar, index) => {
      const tall = counts[index] ? Math.max(2, (counts[index] / top) * (height - 2)) : 0;
      bar.setAttribute("y", (height - tall).toFixed(1));
      bar.setAttribute("height", tall.toFixed(1));
    });
  }
}
