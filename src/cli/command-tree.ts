/** The commands as data, for what is made from them: completion and the manual page. */
import type { Argument, Command, Option } from 'commander';

/** What may stand there: one of some words, a file, a folder, or anything else. */
export type Value =
  | { readonly type: 'words'; readonly words: readonly string[] }
  | { readonly type: 'file' | 'folder' | 'any' };

export interface OptionNode {
  /** `--json`, and before it `-j` where there is one. */
  readonly flags: readonly string[];
  /** As commander shows it: `-c, --config <file>`. */
  readonly shown: string;
  readonly description: string;
  /** Null where it takes none. */
  readonly value: Value | null;
  readonly choices: readonly string[];
  readonly preset: string | null;
  readonly isRequired: boolean;
}

export interface ArgumentNode {
  /** `<file>`, `[port...]` */
  readonly shown: string;
  readonly description: string;
  readonly value: Value;
}

export interface CommandNode {
  readonly name: string;
  /** The words before it and its own: `collard cat add`. */
  readonly path: string;
  readonly summary: string;
  readonly description: string;
  readonly options: readonly OptionNode[];
  readonly arguments: readonly ArgumentNode[];
  readonly commands: readonly CommandNode[];
}

const FILES = /^(?:file|path|out|log)$/i;
const FOLDERS = /^(?:dir|folder)$/i;

export function treeOf(command: Command, before = ''): CommandNode {
  const path = before === '' ? command.name() : `${before} ${command.name()}`;
  const help = command.createHelp();
  return {
    name: command.name(),
    path,
    summary: command.summary() || command.description(),
    description: command.description(),
    options: help.visibleOptions(command).map(optionOf),
    arguments: command.registeredArguments.map(argumentOf),
    commands: command.commands.map((inner) => treeOf(inner, path)),
  };
}

/** The node and all below it, in their order. */
export function allOf(node: CommandNode): readonly CommandNode[] {
  return [node, ...node.commands.flatMap(allOf)];
}

function optionOf(option: Option): OptionNode {
  const [, name = null] = /[<[]([^>\].]+)/.exec(option.flags) ?? [];
  const choices = option.argChoices ?? [];
  const isPlain = ['string', 'number'].includes(typeof option.defaultValue) && !option.negate;
  return {
    flags: [option.short, option.long].flatMap((flag) => flag ?? []),
    shown: option.flags,
    description: option.description,
    value: name === null ? null : valueNamed(name, choices),
    choices,
    preset: name !== null && isPlain ? String(option.defaultValue) : null,
    isRequired: option.mandatory,
  };
}

function argumentOf(argument: Argument): ArgumentNode {
  const name = argument.name();
  const inner = argument.variadic ? `${name}...` : name;
  return {
    shown: argument.required ? `<${inner}>` : `[${inner}]`,
    description: argument.description,
    value: valueNamed(name, argument.argChoices ?? []),
  };
}

function valueNamed(name: string, choices: readonly string[]): Value {
  if (choices.length > 0) return { type: 'words', words: choices };
  if (FILES.test(name) || name === 'port') return { type: 'file' };
  return { type: FOLDERS.test(name) ? 'folder' : 'any' };
}
