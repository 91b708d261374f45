/** How QEMU makes the machine of guest.ts. */
import { join } from 'node:path';
import type { Kernel } from './kernel.ts';

export interface GuestOptions {
  readonly kernel: Kernel;
  readonly disk: string;
  /** In the place of /sbin/init. */
  readonly init?: string;
  /** What its real-time clock says at power-on; now where absent. */
  readonly rtc?: string;
  readonly withReceiver?: boolean;
  readonly cores?: 1 | 2;
  readonly append?: string;
}

/** A PC, and the cores of a Raspberry Pi 4 and of a Pi 5 (which has pages of 16 KiB) on a board of QEMU's own. */
const BOARDS = {
  amd64: { program: 'qemu-system-x86_64', console: 'ttyS0', args: ['-M', 'q35', '-cpu', 'Nehalem', '-m', '768'] },
  arm64: {
    program: 'qemu-system-aarch64',
    console: 'ttyAMA0',
    args: ['-M', 'virt', '-cpu', 'cortex-a72', '-m', '1024'],
  },
  'arm64-16k': {
    program: 'qemu-system-aarch64',
    console: 'ttyAMA0',
    args: ['-M', 'virt', '-cpu', 'cortex-a76', '-m', '1024'],
  },
} as const;

export function qemuOf(
  { kernel, disk, init, rtc, withReceiver = true, cores = 2, append = '' }: GuestOptions,
  folder: string,
): { program: string; args: string[] } {
  const board = BOARDS[kernel.flavour];
  const line = (name: string) => ['-chardev', `socket,id=${name},path=${join(folder, name)}`];
  // Where this machine is full of other work its timer seems not to be there.
  const words = [
    `console=${board.console}`,
    'root=/dev/vda',
    'quiet',
    'mitigations=off',
    'panic=-1',
    'no_timer_check',
    append,
  ];
  if (init !== undefined) words.push(`lab.init=${init}`);
  const args = [
    ...['-accel', 'tcg,thread=multi', '-smp', String(cores), ...board.args],
    ...['-nodefaults', '-display', 'none', '-no-reboot', '-serial', 'stdio'],
    ...['-kernel', kernel.image, '-initrd', kernel.initrd, '-append', words.join(' ')],
    // The page cache of this machine outlives the other: what goes with its power is what that one has not flushed.
    ...['-drive', `file=${disk},if=none,id=disk,format=raw,cache=unsafe`, '-device', 'virtio-blk-pci,drive=disk'],
    ...['-netdev', 'user,id=net', '-device', 'virtio-net-pci,netdev=net,romfile='],
    ...[...line('shell'), ...line('usb'), ...line('qmp'), '-mon', 'qmp,mode=control'],
    ...['-device', 'virtio-serial-pci', '-device', 'virtserialport,chardev=shell,name=lab'],
    ...['-device', 'qemu-xhci,id=usb'],
    ...(withReceiver ? ['-device', 'usb-serial,chardev=usb,id=receiver,bus=usb.0,serial=CR0001'] : []),
    ...(rtc === undefined ? [] : ['-rtc', `base=${rtc}`]),
  ];
  return { program: board.program, args };
}
