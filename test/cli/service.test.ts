import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { installSteps, uninstallSteps } from '../../src/cli/service.ts';
import { collard } from './run.ts';

function image(): string {
  const root = mkdtempSync(join(tmpdir(), 'collard-image-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  return root;
}

describe('collard service', () => {
  it('says what an installation would do', async () => {
    const { stdout, status } = await collard(['service', 'install', '--dry-run']);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^copy the program to \/usr\/lib\/collard\n/);
    expect(stdout).toContain('systemctl enable collard-agent.service\nsystemctl restart collard-agent.service\n');
  });

  it('knows two sides', async () => {
    const { stderr, status } = await collard(['service', 'install', 'middle']);
    expect(status).toBe(64);
    expect(stderr).toContain('agent, central');
  });

  it('places unit, user, rules and configuration below the root of an image, and starts nothing there', () => {
    const root = image();
    const steps = installSteps('central', root);
    expect(
      steps.map(({ text }) => text).filter((text) => /systemctl|systemd-/.test(text) && !text.startsWith('install')),
    ).toEqual([`systemctl --root=${root} enable collard-central.service`]);
    for (const step of steps.filter(({ text }) => text.startsWith('install'))) step.run();
    const unit = readFileSync(join(root, 'usr/lib/systemd/system/collard-central.service'), 'utf8');
    expect(unit).toContain('Type=notify');
    expect(readFileSync(join(root, 'etc/collard/central.yaml'), 'utf8')).toContain('store:');
  });

  it('keeps a configuration that is there, and takes only its own away again', () => {
    const root = image();
    mkdirSync(join(root, 'etc/collard'), { recursive: true });
    writeFileSync(join(root, 'etc/collard/agent.yaml'), 'agent: mine\n');
    for (const step of installSteps('agent', root).filter(({ text }) => text.startsWith('install'))) step.run();
    expect(readFileSync(join(root, 'etc/collard/agent.yaml'), 'utf8')).toBe('agent: mine\n');
    for (const step of uninstallSteps(root).filter(({ text }) => text.startsWith('rm'))) step.run();
    expect(() => readFileSync(join(root, 'usr/lib/systemd/system/collard-agent.service'))).toThrow('ENOENT');
    expect(readFileSync(join(root, 'etc/collard/agent.yaml'), 'utf8')).toBe('agent: mine\n');
  });
});
