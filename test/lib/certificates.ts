/** An authority of its own for TLS tests, made by openssl in a temporary folder. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { opensslPath } from '../servers.ts';

export interface Pair {
  readonly cert: string;
  readonly key: string;
}

export interface Authority {
  readonly ca: string;
  /** A certificate for `127.0.0.1` or a DNS name, valid between two times like `20260101000000Z`. */
  issue(name: string, from?: string, to?: string): Pair;
  /** One that no authority vouches for. */
  selfSigned(name: string): Pair;
  remove(): void;
}

const subject = (name: string) => ['-subj', `/CN=${name}`];

export function createAuthority(): Authority {
  const folder = mkdtempSync(join(tmpdir(), 'collard-ca-'));
  const at = (name: string) => join(folder, name);
  const openssl = (...args: string[]) => execFileSync(opensslPath ?? 'openssl', args, { stdio: 'pipe' });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl(
    'req',
    '-x509',
    ...newKey,
    '-days',
    '30',
    '-keyout',
    at('ca.key'),
    '-out',
    at('ca.pem'),
    ...subject('test authority'),
  );
  writeFileSync(at('index.txt'), '');
  let issued = 0;
  return {
    ca: readFileSync(at('ca.pem'), 'utf8'),
    issue(name, from = '20200101000000Z', to = '20490101000000Z') {
      const id = `issued-${++issued}`;
      const san = /^[\d.]+$/.test(name) ? `IP:${name}` : `DNS:${name}`;
      const config = `[ca]\ndefault_ca=a\n[a]\ndatabase=${at('index.txt')}\nnew_certs_dir=${folder}\nserial=${at('serial')}
rand_serial=yes\ndefault_md=sha256\npolicy=p\nunique_subject=no\nx509_extensions=e\n[p]\ncommonName=supplied\n[e]\nsubjectAltName=${san}\n`;
      writeFileSync(at('ca.conf'), config);
      openssl('req', '-new', ...newKey, '-keyout', at(`${id}.key`), '-out', at(`${id}.csr`), ...subject(name));
      const signing = ['-cert', at('ca.pem'), '-keyfile', at('ca.key'), '-startdate', from, '-enddate', to];
      openssl(
        'ca',
        '-batch',
        '-notext',
        '-config',
        at('ca.conf'),
        ...signing,
        '-in',
        at(`${id}.csr`),
        '-out',
        at(`${id}.pem`),
      );
      return { cert: readFileSync(at(`${id}.pem`), 'utf8'), key: readFileSync(at(`${id}.key`), 'utf8') };
    },
    selfSigned(name) {
      const files = ['-keyout', at('self.key'), '-out', at('self.pem')];
      openssl(
        'req',
        '-x509',
        ...newKey,
        '-days',
        '30',
        ...files,
        ...subject(name),
        '-addext',
        `subjectAltName=IP:${name}`,
      );
      return { cert: readFileSync(at('self.pem'), 'utf8'), key: readFileSync(at('self.key'), 'utf8') };
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
