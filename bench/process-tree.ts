// CPU and memory of a process with all its threads and children, as the kernel accounts them. Linux only.
import { readFileSync, readdirSync } from "node:fs";

const TICK_NANOSECONDS = 10_000_000; // 100 ticks a second on every Linux that Node supports

function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return ""; // the process or thread ended meanwhile
  }
}

function threads(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

/** The process and everything below it. */
export function tree(pid: number): number[] {
  const children = threads(pid).flatMap((thread) => read(`/proc/${pid}/task/${thread}/children`).split(" ").filter(Boolean).map(Number));
  return [pid, ...children.flatMap(tree)];
}

/** User plus system time in whole ticks, ended threads and awaited children included: fields 14 to 17 of `stat`. */
function ticks(pid: number): number {
  const stat = read(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index] ?? 0), 0);
}

/** The same time in nanoseconds, of the threads that live. */
function schedulerNanoseconds(pid: number): number {
  return threads(pid).reduce((sum, thread) => sum + Number(read(`/proc/${pid}/task/${thread}/schedstat`).split(" ")[0] || 0), 0);
}

/**
 * CPU time that the process tree has used so far, in nanoseconds.
 * The scheduler's figure is exact to the nanosecond but forgets ended threads; the ticks forget nothing but are coarse.
 */
export function cpuNanoseconds(pid: number): number {
  return tree(pid).reduce((sum, each) => sum + Math.max(schedulerNanoseconds(each), ticks(each) * TICK_NANOSECONDS), 0);
}

/** Resident memory of the process tree, in bytes. */
export function residentBytes(pid: number): number {
  return tree(pid).reduce((sum, each) => sum + Number(/VmRSS:\s*(\d+) kB/.exec(read(`/proc/${each}/status`))?.[1] ?? 0) * 1_024, 0);
}

/** CPU time of each living thread of one process so far, in nanoseconds; the names are the kernel's. */
export function threadNanoseconds(pid: number): Map<string, number> {
  return new Map(threads(pid).map((thread): [string, number] => [
    `${thread} ${read(`/proc/${pid}/task/${thread}/comm`).trim()}`, Number(read(`/proc/${pid}/task/${thread}/schedstat`).split(" ")[0] || 0),
  ]));
}
