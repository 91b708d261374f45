/** `collard events revoke｜reassign`: what a person corrects. Asks the running central, as `collard cat` does. */
import { Command } from 'commander';
import { ask, type CentralAddress } from './ask-central.ts';
import { idOf } from './cat.ts';
import { CommandError, EXIT } from './exit.ts';
import { print, printJson, safe } from './output.ts';

interface Options extends CentralAddress {
  readonly json?: true;
  readonly reason: string;
}

interface Answer {
  readonly events: readonly string[];
}

/** For `collard events`, whose --config and --json they use. */
export function correctionCommands(): readonly Command[] {
  const sub = (name: string, description: string) =>
    new Command(name)
      .description(`${description} Central must run.`)
      .argument('<epoch/seq>', 'the id of the event')
      .requiredOption('--reason <words>', 'why: it stays in the history')
      .option('--url <url>', 'address of central, where it is not that of --config')
      .addHelpText('after', '\n--config names central.yaml. Nothing is erased: the correction is an event of its own.');
  return [
    sub('revoke', 'Take an event back, a shake as a whole; a correction is undone.').action(
      async (id: string, _own: unknown, command: Command) => {
        const options = command.optsWithGlobals<Options>();
        const answer = await ask<Answer>(options, 'POST', 'events/revoke', { ...placeOf(id), reason: options.reason });
        tellAll(options, answer, 'is taken back', 'was taken back before');
      },
    ),
    sub('reassign', 'Give what a collar told to the cat that it was about, a shake as a whole.')
      .argument('<cat>', 'name or number')
      .action(async (id: string, name: string, _own: unknown, command: Command) => {
        const options = command.optsWithGlobals<Options>();
        const body = { ...placeOf(id), cat: await idOf(options, name), reason: options.reason };
        const answer = await ask<Answer>(options, 'POST', 'events/reassign', body);
        tellAll(options, answer, `was about ${safe(name)}`, `was given to ${safe(name)} before`);
      }),
  ];
}

function tellAll(options: Options, answer: Answer, done: string, before: string): void {
  if (options.json === true) printJson(answer);
  else if (answer.events.length === 0) print(`it ${before}`);
  else for (const id of answer.events) print(`${safe(id)} ${done}`);
}

/** Throws CommandError where the text is no id of an event. */
export function placeOf(id: string): { readonly epoch: string; readonly seq: number } {
  const [, epoch, seq] = /^([0-9a-f-]{36})\/(\d{1,15})$/.exec(id.toLowerCase()) ?? [];
  if (epoch === undefined)
    throw new CommandError(EXIT.usage, `${safe(id)} is no id of an event`, 'write it as EPOCH/SEQ');
  return { epoch, seq: Number(seq) };
}
