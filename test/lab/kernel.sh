#!/bin/sh
# kernel.sh FLAVOUR: runs in a root of Debian. Leaves in /out that kernel, what is to be loaded before its disk is seen,
# the modules the lab wants, and, for amd64, where the compiler is, gpio-sim, which Debian does not build.
set -eu
flavour=$1
arch=${flavour%%-*}
mkdir -p /k/src /k/image /out
cd /k
if [ "$arch" != "$(dpkg --print-architecture)" ]; then
  dpkg --add-architecture "$arch"
  apt-get -qq update
fi
image=$(apt-cache depends "linux-image-$flavour:$arch" | sed -n 's/ *Depends: //p' | head -n 1)
image=${image%:*}
version=${image#linux-image-}
apt-get -qq download "$image:$arch" "busybox-static:$arch"
dpkg-deb -x "$image"_*.deb image
dpkg-deb -x busybox-static_*.deb busybox

gpio_sim() {
  series=$(echo "$version" | cut -d. -f1,2)
  headers=linux-headers-$version
  common=$(apt-cache depends "$headers" | sed -n 's/ *Depends: \(linux-headers-.*-common\)$/\1/p')
  kbuild=$(apt-cache depends "$headers" | sed -n 's/ *Depends: \(linux-kbuild-.*\)$/\1/p')
  apt-get -qq download "$headers" "$common" "$kbuild" "linux-source-$series"
  # They would have the image installed, which takes minutes.
  for package in "$headers" "$common" "$kbuild"; do dpkg-deb --fsys-tarfile "${package}"_*.deb | tar -x -C / --keep-directory-symlink; done
  # The two files come early in the archive: what is behind them is not unpacked.
  dpkg-deb --fsys-tarfile "linux-source-${series}"_*.deb | tar -xO "./usr/src/linux-source-$series.tar.xz" | xz -dc |
    tar -x --occurrence=1 -C src "linux-source-$series/drivers/gpio/gpio-sim.c" "linux-source-$series/kernel/irq/irq_sim.c"
  mkdir module
  cp "src/linux-source-$series/drivers/gpio/gpio-sim.c" "src/linux-source-$series/kernel/irq/irq_sim.c" module/
  # The one function that modules may not call.
  sed -i 's/handle_simple_irq(irq_to_desc(\([^()]*\)))/generic_handle_irq(\1)/' module/irq_sim.c
  printf 'obj-m := gpio-sim-lab.o\ngpio-sim-lab-y := gpio-sim.o irq_sim.o\n' > module/Makefile
  make -C "/usr/src/linux-headers-$version" M=/k/module modules
  cp module/gpio-sim-lab.ko /out/
}
[ "$flavour" != amd64 ] || gpio_sim

cp "image/boot/vmlinuz-$version" /out/vmlinuz
mv image/usr/lib image/lib 2> /dev/null || true
modules=image/lib/modules/$version
find "$modules" -name '*.ko.xz' -exec xz -d {} +
depmod -b image "$version"
pick() { modprobe -d image -S "$version" --show-depends --ignore-install "$1" 2> /dev/null | sed -n 's/^insmod \([^ ]*\).*/\1/p'; }
mkdir -p initrd/bin initrd/dev initrd/proc initrd/sys initrd/new initrd/mod
n=100
for name in virtio_pci virtio_blk ext4 virtio_net virtio_console xhci_pci; do
  for file in $(pick "$name"); do
    [ -e "initrd/seen-$(basename "$file")" ] || cp "$file" "initrd/mod/$n-$(basename "$file")"
    : > "initrd/seen-$(basename "$file")"
    n=$((n + 1))
  done
done
rm -f initrd/seen-*
# Before and after Debian has merged /usr. Other files of that name are no programs.
for file in busybox/bin/busybox busybox/usr/bin/busybox; do [ ! -f "$file" ] || cp "$file" initrd/bin/; done
[ -x initrd/bin/busybox ]
cat > initrd/init << 'I'
#!/bin/busybox sh
bb=/bin/busybox
$bb mount -t devtmpfs none /dev
$bb mount -t proc none /proc
$bb mount -t sysfs none /sys
for file in /mod/*; do $bb insmod "$file"; done
n=0
while [ ! -b /dev/vda ] && [ $n -lt 300 ]; do $bb sleep 0.1; n=$((n + 1)); done
# No service of the machine is needed for it.
$bb ip link set lo up
for net in /sys/class/net/e*; do
  $bb ip addr add 10.0.2.15/24 dev "${net##*/}"
  $bb ip link set "${net##*/}" up
  $bb ip route add default via 10.0.2.2
done
$bb mount -t ext4 /dev/vda /new
init=$($bb sed -n 's/.*lab\.init=\([^ ]*\).*/\1/p' /proc/cmdline)
$bb mount --move /dev /new/dev
$bb umount /sys
$bb umount /proc
exec $bb switch_root /new "${init:-/sbin/init}"
I
chmod 755 initrd/init
(cd initrd && find . | cpio -o -H newc 2> /dev/null | gzip -1) > /out/initrd

mkdir -p "/out/modules/lib/modules/$version"
for name in xhci_pci usbserial ftdi_sio cdc_acm overlay configfs; do
  for file in $(pick "$name"); do
    to="/out/modules/lib/modules/$version/${file#*"$modules"/}"
    mkdir -p "$(dirname "$to")"
    cp "$file" "$to"
  done
done
for name in order builtin builtin.modinfo; do cp "$modules/modules.$name" "/out/modules/lib/modules/$version/"; done
depmod -b /out/modules "$version"
echo "$version" > /out/version
