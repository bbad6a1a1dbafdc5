// Which runs are shown, and in which order. Pure.

const BY = {
  created: (entry) => entry.run.created_at,
  state: (entry) => entry.run.status,
  agent: (entry) => entry.run.agent,
  cpu: (entry) => entry.cpu ?? entry.run.exit?.cpu_s ?? -1,
  memory: (entry) => entry.run.process?.rss_bytes ?? entry.run.exit?.max_rss_bytes ?? -1,
  processes: (entry) => entry.run.process?.processes ?? -1,
  rate: (entry) => entry.rate ?? -1,
};
const VIEWS = {
  live: (entry) => !entry.over,
  ended: (entry) => entry.over,
  all: () => true,
};

/** The entries of this view that hold every word of the filter, ordered. `order`: {by, descending}. */
export function chosen(entries, view, filter, order) {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = [];
  for (const entry of entries) if (VIEWS[view](entry) && words.every((word) => entry.words.includes(word))) shown.push(entry);
  const key = BY[order.by];
  const sign = order.descending ? -1 : 1;
  const keyed = shown.map((entry) => [key(entry), entry.run.created_at, entry]);
  keyed.sort((a, b) => sign * compare(a[0], b[0]) || b[1] - a[1]);
  return keyed.map((each) => each[2]);
}

/** What all live runs use together: {live, waiting, queued, cpu, memory, rate}. */
export function sums(entries) {
  const all = { live: 0, waiting: 0, queued: 0, cpu: 0, memory: 0, rate: 0 };
  for (const entry of entries) {
    if (entry.over) continue;
    all.live += 1;
    all.queued += entry.run.status === "queued";
    all.waiting += entry.run.status === "waiting_for_approval";
    all.cpu += entry.cpu ?? 0;
    all.memory += entry.run.process?.rss_bytes ?? 0;
    all.rate += entry.rate ?? 0;
  }
  return all;
}

const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
