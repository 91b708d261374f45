/** `collard cat …`: cats over HTTP. Central is the one writer of its store, so that a command asks it and opens no file. */
import { Command } from 'commander';
import type { CatRow } from '../central/store/store.ts';
import { ask, type CentralAddress, DEFAULT_URL } from './ask-central.ts';
import { CommandError, EXIT } from './exit.ts';
import { print, printJson, safe, table } from './output.ts';

interface CatOptions extends CentralAddress {
  readonly json?: true;
  readonly collar?: string;
}

export function catCommand(): Command {
  const command = new Command('cat').description(
    'Add, rename, move and list cats, and assign collars. Central must run.',
  );
  const sub = (name: string, description: string) =>
    command
      .command(name)
      .description(description)
      .option('--config <file>', 'central.yaml, for the address of central')
      .option('--url <url>', `address of central, ${DEFAULT_URL} where neither is given`)
      .option('--json', 'print JSON');

  sub('add', 'Add a cat.')
    .argument('<name>')
    .option('--collar <id>', 'the collar that it wears')
    .action(async (name: string, options: CatOptions) => {
      const { collar } = options;
      const cat = await ask<CatRow>(options, 'POST', 'cats', collar === undefined ? { name } : { name, collar });
      tellCat(
        options,
        cat,
        `${safe(cat.name)} is cat ${cat.id}${cat.collar === null ? '' : ` and wears ${safe(cat.collar)}`}`,
      );
    });
  sub('rename', 'Give a cat another name.')
    .argument('<cat>', 'name or number')
    .argument('<name>')
    .action(async (cat: string, name: string, options: CatOptions) => {
      const renamed = await ask<CatRow>(options, 'PATCH', `cats/${await idOf(options, cat)}`, { name });
      tellCat(options, renamed, `cat ${renamed.id} is called ${safe(renamed.name)}`);
    });
  sub('assign', 'Give a cat a collar, whoever wore it before.')
    .argument('<cat>', 'name or number')
    .argument('<collar>')
    .action(async (cat: string, collar: string, options: CatOptions) => {
      const wearer = await ask<CatRow>(options, 'PATCH', `cats/${await idOf(options, cat)}`, { collar });
      tellCat(options, wearer, `${safe(wearer.name)} wears ${safe(collar)}`);
    });
  sub('move', 'Correct where a cat is.')
    .argument('<cat>', 'name or number')
    .argument('<place>')
    .action(async (cat: string, location: string, options: CatOptions) => {
      const moved = await ask<CatRow>(options, 'PUT', `cats/${await idOf(options, cat)}/location`, { location });
      tellCat(options, moved, `${safe(moved.name)} is in ${safe(moved.location ?? location)}`);
    });
  sub('list', 'Print all cats.').action(async (options: CatOptions) => {
    const { cats } = await ask<CatsAnswer>(options, 'GET', 'cats');
    if (options.json === true) for (const cat of cats) printJson(cat);
    else if (cats.length === 0) print('no cats yet: collard cat add NAME --collar ID');
    else print(listOf(cats));
  });
  return command;
}

interface CatsAnswer {
  readonly cats: readonly CatRow[];
}

function tellCat(options: CatOptions, cat: CatRow, sentence: string): void {
  if (options.json === true) printJson(cat);
  else print(sentence);
}

function listOf(cats: readonly CatRow[]): string {
  const rows = cats.map((cat) => [
    String(cat.id),
    safe(cat.name),
    safe(cat.location ?? '-'),
    cat.isMeowed ? 'yes' : 'no',
    String(cat.meowsToday),
    safe(cat.collar ?? '-'),
    cat.lastHeard ?? 'never',
  ]);
  return table(['cat', 'name', 'place', 'shaking', 'meows today', 'collar', 'last seen'], rows);
}

/** A name before a number: a cat may be called 7. */
export async function idOf(options: CentralAddress, cat: string): Promise<number> {
  const { cats } = await ask<CatsAnswer>(options, 'GET', 'cats');
  const fold = (name: string) => name.normalize('NFC').trim().toLowerCase();
  const known = cats.find((row) => fold(row.name) === fold(cat)) ?? cats.find((row) => String(row.id) === cat);
  if (known === undefined) throw new CommandError(EXIT.checkFailed, 'cat not found');
  return known.id;
}
