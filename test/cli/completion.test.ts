/** Completion in the shells themselves, and the manual page as man formats it. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { allOf, type CommandNode, treeOf } from '../../src/cli/command-tree.ts';
import { createWhole } from '../../src/cli/commands.ts';
import { completionScript, SHELLS } from '../../src/cli/completion.ts';
import { manualPage } from '../../src/cli/manual.ts';
import { findProgram, requireServer } from '../servers.ts';
import { collard } from './run.ts';

let folder = '';
let root: CommandNode;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'collard-completion-'));
  root = treeOf(await createWhole());
  for (const shell of SHELLS) writeFileSync(join(folder, shell), completionScript(shell, root));
  writeFileSync(join(folder, 'agent.yaml'), '');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What each shell offers after these words; the last one is what is being typed. */
const ask: Record<(typeof SHELLS)[number], (words: readonly string[]) => string> = {
  bash: (words) => {
    const line = words.map((word) => `'${word}'`).join(' ');
    const script = `compopt() { :; }; . ${folder}/bash; COMP_WORDS=(${line}); COMP_CWORD=${words.length - 1}; _collard; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return run('bash', '-c', script);
  },
  zsh: (words) => {
    const line = words.map((word) => `'${word}'`).join(' ');
    // Its own machinery needs a terminal: what it is handed is printed instead.
    const stubs = `compdef() { :; }; compadd() { shift; print -l -- "$@"; }; _files() { print -l -- *(N); }; _message() { :; }
      _describe() { local name=\${@[-1]}; for entry in "\${(@P)name}"; do print -r -- "\${entry%%:*}"; done; }`;
    const script = `${stubs}; . ${folder}/zsh; words=(${line}); CURRENT=${words.length}; _collard`;
    return run('zsh', '-f', '-c', script);
  },
  fish: (words) => run('fish', '--no-config', '-c', `source ${folder}/fish; complete -C '${words.join(' ')}'`),
};

function run(program: string, ...args: string[]): string {
  return execFileSync(program, args, {
    cwd: folder,
    encoding: 'utf8',
    env: { PATH: process.env.PATH ?? '', HOME: folder },
  });
}

describe.each(SHELLS)('%s', (shell) => {
  const path = findProgram(shell);
  const offered = (...words: string[]) =>
    ask[shell](['collard', ...words])
      .split('\n')
      .map((line) => line.split('\t')[0])
      .filter((word) => word !== '');

  test.skipIf(!requireServer(shell, path))('offers commands, options, and what a value may be', () => {
    expect(offered('')).toEqual(expect.arrayContaining(['agent', 'doctor', 'completion']));
    expect(offered('cat', '').sort()).toEqual(['add', 'assign', 'list', 'move', 'rename']);
    expect(offered('doctor', '--')).toEqual(expect.arrayContaining(['--bundle', '--config', '--json']));
    expect(offered('agent', '--log-level', '')).toEqual(expect.arrayContaining(['debug', 'info']));
    expect(offered('completion', '').sort()).toEqual(['bash', 'fish', 'zsh']);
    // Options of one command are not those of another, also where a value has the name of a command.
    expect(offered('doctor', '--')).not.toContain('--follow');
    expect(offered('doctor', '--config', 'events', '--')).toContain('--bundle');
    expect(offered('doctor', '--config', '')).toContain('agent.yaml');
    expect(offered('config', 'check', '')).toContain('agent.yaml');
  });
});

test('the command prints the script, and refuses a shell that it does not know', async () => {
  const { status, stdout } = await collard(['completion', 'bash']);
  expect(status).toBe(0);
  expect(stdout).toBe(completionScript('bash', root));
  expect((await collard(['completion', 'tcsh'])).status).toBe(64);
});

describe('the manual page', () => {
  test('has each command with its options, and the same bytes each time', async () => {
    const page = manualPage(root, '1.2.3', '2026-11-26');
    expect(page).toBe(manualPage(treeOf(await createWhole()), '1.2.3', '2026-11-26'));
    for (const { path } of allOf(root).slice(1)) expect(page).toContain(`.SS "${path.replaceAll('-', '\\-')}`);
    // No line of text may look like a request.
    const requests = page.split('\n').flatMap((line) => /^[.'](\w*)/.exec(line)?.[1] ?? []);
    expect([...new Set(requests)].sort()).toEqual(['B', 'BR', 'I', 'PP', 'SH', 'SS', 'TH', 'TP']);
  });

  test.skipIf(!requireServer('man', findProgram('man'), 'man-db'))('is formatted without a warning', () => {
    writeFileSync(join(folder, 'collard.1'), manualPage(root, '1.2.3', '2026-11-26'));
    const text = execFileSync('man', ['--warnings', '-l', join(folder, 'collard.1')], {
      encoding: 'utf8',
      env: { PATH: process.env.PATH ?? '', MANWIDTH: '100', LC_ALL: 'C.UTF-8', MAN_KEEP_FORMATTING: '' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    expect(text).toMatch(/collard - the collar daemon/);
    expect(text).toMatch(/-c, --config <file>/);
  });
});

describe('the texts of the help', () => {
  test('a command is described in sentences, an option in a phrase', () => {
    const all = allOf(root);
    const odd = all.flatMap(({ path, description, summary, options }) => [
      ...(/^[A-Z][\s\S]*\.$/.test(description) ? [] : [`${path}: ${description}`]),
      ...(path === 'collard' || /^[a-z]/.test(summary) || summary === description
        ? []
        : [`${path} summary: ${summary}`]),
      ...options
        .filter(({ description: text }) => !/^(?:[a-z0-9-]|MQTT|HTTP|JSON|API|ISO|UTC)[\s\S]*[^.]$/.test(text))
        .map(({ shown, description: text }) => `${path} ${shown}: ${text}`),
    ]);
    expect(odd).toEqual([]);
  });
});
