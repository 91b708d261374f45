/** The words that choose events, the same for every command and for the HTTP API. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { EventFilter } from '../central/store/store.ts';
import { fullType } from '../contract/event.ts';
import { wholeNumber } from './numbers.ts';

export interface FilterWords {
  readonly type?: readonly string[];
  readonly cat?: number;
  readonly collar?: string;
  readonly agent?: string;
  readonly from?: string;
  readonly to?: string;
}

export function addFilter(command: Command): Command {
  return addTimes(
    addTypes(command)
      .addOption(catOption())
      .option('--collar <id>', 'only of this collar')
      .option('--agent <name>', 'only from this agent'),
  );
}

export function addTypes(command: Command): Command {
  return command.option('--type <types>', 'only these, such as meow.started,meow.ended', typesOf);
}

export function catOption(): Option {
  const option = new Option('--cat <number>', 'only of this cat, by whatever collar it wore (central)');
  return option.argParser(wholeNumber(1, Number.MAX_SAFE_INTEGER));
}

export function addTimes(command: Command): Command {
  return command
    .option('--from <time>', 'from then on, such as 2026-11-23T06:00Z', momentOf)
    .option('--to <time>', 'before then', momentOf);
}

export function filterOf({ type, cat, collar, agent, from, to }: FilterWords): EventFilter {
  return {
    ...(type === undefined ? {} : { types: type }),
    ...(cat === undefined ? {} : { catId: cat }),
    ...(collar === undefined ? {} : { collar }),
    ...(agent === undefined ? {} : { agent }),
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
  };
}

function typesOf(text: string): string[] {
  return text.split(',').map((type) => fullType(type.trim()));
}

function momentOf(text: string): string {
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) throw new InvalidArgumentError('expected a time such as 2026-11-23T06:00Z');
  return new Date(ms).toISOString();
}
