/**
 * GPIO lines by Debian's `gpiomon` (package gpiod), of libgpiod 1.6 or 2: for machines where the C library cannot be called. A
 * process for each set of lines with the same settings. Version 1 knows no debounce: the decoder has its own.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import type { WatchedLine } from './gpio-abi.ts';
import { type Chip, chooseChip, GpioError, type WatchLines } from './gpio-lines.ts';

export interface GpiomonPrograms {
  readonly gpiomon: string;
  readonly gpiodetect: string;
  /** One that has run for so long has its lines. */
  readonly settledMs: number;
}

export const GPIOMON: GpiomonPrograms = { gpiomon: 'gpiomon', gpiodetect: 'gpiodetect', settledMs: 500 };

const MAX_STDERR = 1_000;
const V1_BIAS = { 'pull-up': 'pull-up', 'pull-down': 'pull-down', disabled: 'disable', 'as-is': 'as-is' } as const;

export function watchGpiomonLines(programs: GpiomonPrograms = GPIOMON): WatchLines {
  return async (request, sink) => {
    const isV1 = /\bv?1\.\d/.test(await output(programs.gpiomon, ['--version']));
    const chip = chooseChip(parseChips(await output(programs.gpiodetect, [])), request);
    const children: ChildProcess[] = [];
    const closed: Promise<void>[] = [];
    let open = false;
    let isOver = false;
    const close = async () => {
      isOver = true;
      for (const child of children) child.kill('SIGTERM');
      await Promise.all(closed);
    };
    try {
      const settled = groups(request.lines).map((lines) => {
        const args = isV1 ? v1Arguments(chip, lines) : v2Arguments(chip, lines);
        const child = spawn(programs.gpiomon, args, { stdio: ['ignore', 'pipe', 'pipe'] });
        children.push(child);
        child.stdout.on('data', (bytes: Buffer) => sink.text(bytes));
        const ended = endOf(child);
        closed.push(ended.then(() => undefined));
        void ended.then((reason) => {
          if (open && !isOver) sink.end(`${chip.label}: ${reason}`);
        });
        return settle(ended, programs.settledMs);
      });
      const reason = (await Promise.all(settled)).find((failed) => failed !== null);
      if (reason !== undefined && reason !== null) {
        const held = 'a line that another program holds is told by gpioinfo, permission by the group gpio';
        throw new GpioError(`the lines of ${chip.label} cannot be had (${reason}): ${held}`);
      }
      open = true;
      return { close };
    } catch (error) {
      await close();
      throw error;
    }
  };
}

function v1Arguments(chip: Chip, lines: readonly WatchedLine[]): string[] {
  const [first] = lines;
  return [
    '--format=%e %o %s %n',
    '--line-buffered',
    ...(first === undefined || first.bias === 'as-is' ? [] : [`--bias=${V1_BIAS[first.bias]}`]),
    ...(first?.activeLow === true ? ['--active-low'] : []),
    chip.name,
    ...lines.map(({ line }) => String(line)),
  ];
}

function v2Arguments(chip: Chip, lines: readonly WatchedLine[]): string[] {
  const [first] = lines;
  return [
    '--chip',
    chip.name,
    '--event-clock',
    'monotonic',
    '--format',
    '%e %o %S',
    ...(first === undefined || first.bias === 'as-is' ? [] : ['--bias', first.bias]),
    ...(first?.activeLow === true ? ['--active-low'] : []),
    ...(first === undefined || first.debounceMs === 0
      ? []
      : ['--debounce-period', `${Math.round(first.debounceMs * 1000)}us`]),
    ...lines.map(({ line }) => String(line)),
  ];
}

function groups(lines: readonly WatchedLine[]): WatchedLine[][] {
  const same = Map.groupBy(lines, ({ bias, activeLow, debounceMs }) => `${bias} ${activeLow} ${debounceMs}`);
  return [...same.values()];
}

/** `gpiochip0 [pinctrl-bcm2711] (58 lines)` */
function parseChips(text: string): Chip[] {
  return text.split('\n').flatMap((line) => {
    const [, name, label, lines] = /^(\S+) \[(.*)\] \((\d+) lines\)$/.exec(line.trim()) ?? [];
    return name === undefined || label === undefined
      ? []
      : [{ name, label, lines: Number(lines), path: `/dev/${name}` }];
  });
}

/** What the program says on stdout. Rejects with a GpioError that names the package. */
function output(program: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(program, args, { timeout: 10_000 }, (error, stdout) => {
      if (error === null) resolve(stdout);
      else reject(new GpioError(`${program} cannot be run (${String(error.code)}): sudo apt-get install gpiod`));
    });
  });
}

/** Resolves when it has ended, with why. */
function endOf(child: ChildProcess): Promise<string> {
  let stderr = '';
  child.stderr?.on('data', (bytes: Buffer) => {
    stderr = (stderr + bytes.toString()).slice(0, MAX_STDERR);
  });
  return new Promise((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.on('close', (code, signal) => {
      const said = stderr.trim().split('\n').at(-1) ?? '';
      resolve(`gpiomon ended with ${signal ?? code}${said === '' ? '' : `: ${said}`}`);
    });
  });
}

/** The reason where it ends within `ms`, else null. */
async function settle(ended: Promise<string>, ms: number): Promise<string | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), ms);
  });
  const first = await Promise.race([ended, late]);
  clearTimeout(timer);
  return first;
}
