// Reads Prometheus's text format: what the daemon tells of itself, once a second.

// By series ("name" or "name{labels}"), its value.
export const parse = (text) => {
  const values = new Map();
  for (const line of text.split("\n")) {
    if (!line || line[0] === "#") continue;
    const end = line.lastIndexOf(" ");
    values.set(line.slice(0, end), Number(line.slice(end + 1)));
  }
  return values;
};

// The sum over all series of a name, whatever their labels; undefined without any.
export const total = (values, name) => {
  if (values.has(name)) return values.get(name);
  let sum;
  for (const [series, value] of values) {
    if (series.startsWith(`${name}{`)) sum = (sum ?? 0) + value;
  }
  return sum;
};

// A histogram's buckets: their bounds, ascending, and how many fell below each.
const buckets = (values, name) => {
  const found = [];
  for (const [series, count] of values) {
    const match = series.startsWith(`${name}_bucket{`) && /le="([^"]+)"/.exec(series);
    if (match) found.push([match[1] === "+Inf" ? Infinity : Number(match[1]), count]);
  }
  return found.sort((a, b) => a[0] - b[0]);
};

// What fell into each bucket between two looks: [bound, count], ascending.
export const fallen = (now, before, name) => {
  const old = new Map(buckets(before, name));
  let below = 0;
  return buckets(now, name).map(([bound, count]) => {
    const sum = count - (old.get(bound) ?? 0);
    const here = Math.max(0, sum - below);
    below = Math.max(below, sum);
    return [bound, here];
  });
};

// Below which value a share of them lies: between the bucket's bounds in proportion.
export const quantile = (share, parts) => {
  const sum = parts.reduce((count, [, here]) => count + here, 0);
  if (!sum) return undefined;
  let rest = share * sum;
  let low = 0;
  for (const [bound, here] of parts) {
    if (here && rest <= here) {
      return Number.isFinite(bound) ? low + (bound - low) * (rest / here) : low;
    }
    rest -= here;
    if (Number.isFinite(bound)) low = bound;
  }
  return low;
};

// A number that only grows, as a rate. A server that began anew counts from 0.
export const rate = (now, before, name, seconds) => {
  const value = total(now, name);
  if (value === undefined) return undefined;
  const old = total(before, name) ?? 0;
  return (value >= old ? value - old : value) / seconds;
};
