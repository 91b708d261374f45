/** `collard completion bash|zsh|fish`: prints a script that completes commands, options and their values, made from the commands themselves. */
import { Argument, Command } from 'commander';
import { allOf, type CommandNode, type OptionNode, treeOf, type Value } from './command-tree.ts';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

export function completionCommand(whole: () => Promise<Command>): Command {
  return new Command('completion')
    .description('Print a script that completes the command line, for the shell that is named.')
    .addArgument(new Argument('<shell>', 'which shell').choices(SHELLS))
    .addHelpText('after', HELP)
    .action(async (shell: Shell) => {
      process.stdout.write(completionScript(shell, treeOf(await whole())));
    });
}

const HELP = `
To have it in each new shell:
  bash   collard completion bash > ~/.local/share/bash-completion/completions/collard
  zsh    collard completion zsh > "\${fpath[1]}/_collard"
  fish   collard completion fish > ~/.config/fish/completions/collard.fish
The Debian package brings all three.`;

export function completionScript(shell: Shell, root: CommandNode): string {
  return { bash, zsh, fish }[shell](root);
}

/** `/cat/add`; that of the program is empty. */
function placeOf({ path }: CommandNode): string {
  return path
    .split(' ')
    .slice(1)
    .map((word) => `/${word}`)
    .join('');
}

interface Place {
  readonly at: string;
  readonly node: CommandNode;
  readonly options: readonly OptionNode[];
  readonly words: readonly string[];
  /** What its argument may be, where that is no command. */
  readonly argument: Value;
}

function placesOf(root: CommandNode): readonly Place[] {
  return allOf(root).map((node) => {
    const argument: Value = node.arguments[0]?.value ?? { type: 'any' };
    const words = argument.type === 'words' ? argument.words : [];
    return {
      at: placeOf(node),
      node,
      options: node.options,
      words: [...node.commands.map(({ name }) => name), ...words],
      argument,
    };
  });
}

const inner = (places: readonly Place[]) => places.map(({ at }) => at).filter((at) => at !== '');

/** `/agent:--config|/agent:-c` for each option with a value. */
function valued(places: readonly Place[]): { readonly pattern: string; readonly value: Value }[] {
  return places.flatMap(({ at, options }) =>
    options.flatMap(({ flags, value }) =>
      value === null ? [] : [{ pattern: flags.map((flag) => `${at}:${flag}`).join('|'), value }],
    ),
  );
}

function bash(root: CommandNode): string {
  const places = placesOf(root);
  const give = (value: Value) =>
    value.type === 'words'
      ? `COMPREPLY=($(compgen -W '${value.words.join(' ')}' -- "$cur"))`
      : value.type === 'any'
        ? ':'
        : `compopt -o filenames; COMPREPLY=($(compgen -${value.type === 'file' ? 'f' : 'd'} -- "$cur"))`;
  return `# bash completion of collard; made by: collard completion bash
_collard() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]} at='' i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$at/\${COMP_WORDS[i]}" in
      ${inner(places).join(' | ')}) at="$at/\${COMP_WORDS[i]}" ;;
    esac
  done
  case "$at:$prev" in
${valued(places)
  .map(({ pattern, value }) => `    ${pattern}) ${give(value)}; return ;;`)
  .join('\n')}
  esac
  case "$at" in
${places
  .map(({ at, options, words, argument }) => {
    const flags = options.flatMap((option) => option.flags).join(' ');
    const free =
      argument.type === 'file' || argument.type === 'folder'
        ? give(argument)
        : `COMPREPLY=($(compgen -W '${words.join(' ')}' -- "$cur"))`;
    return `    '${at}') if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W '${flags}' -- "$cur")); else ${free}; fi ;;`;
  })
  .join('\n')}
  esac
}
complete -F _collard collard
`;
}

/** In single quotes, for any of the three. */
function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", `'\\''`)}'`;
}

function zsh(root: CommandNode): string {
  const places = placesOf(root);
  const give = (value: Value) =>
    value.type === 'words'
      ? `compadd -- ${value.words.join(' ')}`
      : value.type === 'any'
        ? `_message value`
        : value.type === 'file'
          ? '_files'
          : '_files -/';
  // A colon parts the word from its explanation.
  const entry = (word: string, text: string) => quoted(`${word.replaceAll(':', '\\:')}:${text}`);
  const body = places.map(({ at, node, options, argument }) => {
    const flags = options.flatMap((option) => option.flags.map((flag) => entry(flag, option.description)));
    const commands = node.commands.map(({ name, summary }) => entry(name, summary));
    const other =
      node.commands.length > 0 ? `commands=(${commands.join(' ')}); _describe command commands` : give(argument);
    return `    '${at}')
      if [[ \${words[CURRENT]} == -* ]]; then options=(${flags.join(' ')}); _describe -o option options
      else ${other}; fi ;;`;
  });
  return `#compdef collard
# zsh completion of collard; made by: collard completion zsh
_collard() {
  local at='' i
  local -a options commands
  for ((i = 2; i < CURRENT; i++)); do
    case "$at/\${words[i]}" in
      ${inner(places).join(' | ')}) at="$at/\${words[i]}" ;;
    esac
  done
  case "$at:\${words[CURRENT - 1]}" in
${valued(places)
  .map(({ pattern, value }) => `    ${pattern}) ${give(value)}; return ;;`)
  .join('\n')}
  esac
  case "$at" in
${body.join('\n')}
  esac
}
if [ "$funcstack[1]" = _collard ]; then _collard "$@"; else compdef _collard collard; fi
`;
}

function fish(root: CommandNode): string {
  const places = placesOf(root);
  const lines = places.flatMap(({ at, node, options, words, argument }) => {
    const when = `complete -c collard -n "__collard_at '${at}'"`;
    const named = node.commands.map(({ name, summary }) => `${when} -a ${name} -d ${quoted(summary)}`);
    const own = words.filter((word) => !node.commands.some(({ name }) => name === word));
    const files = argument.type === 'file' || argument.type === 'folder' ? [`${when} -F`] : [];
    return [
      ...named,
      ...own.map((word) => `${when} -a ${word}`),
      ...files,
      ...options.map((option) => `${when}${fishOption(option)}`),
    ];
  });
  return `# fish completion of collard; made by: collard completion fish
function __collard_at
    set -l at ''
    for word in (commandline -opc)[2..]
        switch "$at/$word"
            case ${inner(places)
              .map((at) => `'${at}'`)
              .join(' ')}
                set at "$at/$word"
        end
    end
    test "$at" = "$argv[1]"
end
complete -c collard -f
${lines.join('\n')}
`;
}

function fishOption({ flags, description, value }: OptionNode): string {
  const names = flags.map((flag) => (flag.startsWith('--') ? ` -l ${flag.slice(2)}` : ` -s ${flag.slice(1)}`)).join('');
  const given =
    value === null
      ? ''
      : value.type === 'words'
        ? ` -x -a ${quoted(value.words.join(' '))}`
        : value.type === 'any'
          ? ' -x'
          : ' -r -F';
  return `${names}${given} -d ${quoted(description)}`;
}
