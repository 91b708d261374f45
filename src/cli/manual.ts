/** The manual page collard(1), made from the commands: the same bytes from the same commands. */
import { allOf, type CommandNode, type OptionNode } from './command-tree.ts';

/** `date`: such as 2026-11-26. */
export function manualPage(root: CommandNode, version: string, date: string): string {
  const commands = allOf(root).slice(1);
  return `${[
    `.TH COLLARD 1 "${date}" "collard ${version}" "User Commands"`,
    '.SH NAME',
    `collard \\- ${escaped('the collar daemon: readings of cat collars become events that are never lost')}`,
    '.SH SYNOPSIS',
    '.B collard',
    '.I command',
    '[\\fIoptions\\fR]',
    '.SH DESCRIPTION',
    ...paragraph(root.description),
    '.PP',
    ...paragraph(
      'An agent reads collars on a Raspberry Pi, keeps each event in a log and forwards it over MQTT until central has stored it. ' +
        'Central stores each event once and shows where the cats are.',
    ),
    '.SH OPTIONS',
    ...root.options.flatMap(option),
    '.SH COMMANDS',
    ...commands.flatMap(section),
    '.SH EXIT STATUS',
    ...EXITS.flatMap(([code, text]) => ['.TP', `.B ${code}`, escaped(text)]),
    '.SH ENVIRONMENT',
    ...ENVIRONMENT.flatMap(([name, text]) => ['.TP', `.B ${escaped(name)}`, escaped(text)]),
    '.SH FILES',
    ...FILES.flatMap(([name, text]) => ['.TP', `.I ${escaped(name)}`, escaped(text)]),
    '.SH SEE ALSO',
    '.BR systemctl (1),',
    '.BR journalctl (1),',
    '.BR mosquitto.conf (5)',
  ].join('\n')}\n`;
}

const EXITS: readonly (readonly [code: number, text: string])[] = [
  [0, 'all is well'],
  [1, 'a check failed, or was refused'],
  [64, 'the command line is wrong'],
  [65, 'the data is wrong'],
  [69, 'what is needed is not there, or is in use'],
  [70, 'a fault in collard'],
  [74, 'the disk failed'],
  [75, 'not now: try again later'],
  [78, 'the configuration is wrong'],
  [130, 'interrupted'],
];

const ENVIRONMENT: readonly (readonly [name: string, text: string])[] = [
  ['COLLARD_*', 'a setting of the configuration: COLLARD_MQTT_URL is mqtt.url'],
  ['CREDENTIALS_DIRECTORY', 'a folder of secrets: its file mqtt.password is the setting of that name'],
  ['COLLARD_DEBUG', 'print stack traces'],
  ['NO_COLOR', 'no colours'],
];

const FILES: readonly (readonly [name: string, text: string])[] = [
  ['/etc/collard/agent.yaml, /etc/collard/central.yaml', 'the configurations, all keys commented'],
  ['/etc/collard/credentials/', 'passwords, for root alone'],
  ['/var/lib/collard/', "the agent's log of events"],
  ['/var/lib/collard-central/', "central's store, where it is an SQLite file"],
];

function section(node: CommandNode): string[] {
  const args = node.arguments.map(({ shown }) => ` \\fI${escaped(shown)}\\fR`).join('');
  const more = node.commands.length > 0 && node.options.length <= 1 ? ' \\fIcommand\\fR' : '';
  return [
    `.SS "${escaped(node.path)}${args}${more}"`,
    ...paragraph(node.description),
    ...node.arguments
      .filter(({ description }) => description !== '')
      .flatMap(({ shown, description }) => ['.TP', `.I ${escaped(shown)}`, ...paragraph(description)]),
    ...node.options.filter(({ flags }) => !flags.includes('--help')).flatMap(option),
  ];
}

function option({ shown, description, choices, preset, isRequired }: OptionNode): string[] {
  const notes = [
    ...(choices.length > 0 ? [`one of ${choices.join(', ')}`] : []),
    ...(preset === null || preset === '' ? [] : [`default: ${preset}`]),
    ...(isRequired ? ['must be given'] : []),
  ];
  return [
    '.TP',
    `.B ${escaped(shown)}`,
    ...paragraph(`${description}${notes.length > 0 ? ` (${notes.join('; ')})` : ''}`),
  ];
}

function paragraph(text: string): string[] {
  return text.split('\n').map((line) => escaped(line.trim()));
}

/** A backslash, a hyphen that is a minus, and what begins a line as a request of roff. */
function escaped(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('"', '\\(dq')
    .replaceAll('…', '...')
    .replace(/^([.'])/, '\\&$1');
}
