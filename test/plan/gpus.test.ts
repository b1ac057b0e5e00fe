import { describe, expect, it } from 'vitest';
import { selectConfig } from '../../compiler/kernels/select.js';
import { ARCH_NAMES, archFor, architecture, runsOn, sharedOf } from '../../compiler/target/architectures.js';
import { findGpu } from '../../compiler/target/find_gpu.js';
import { GPUS } from '../../compiler/target/gpus.js';
import { cudaTarget } from '../../compiler/target/target.js';
import { leastDriver, requireToolkit } from '../../compiler/toolkit.js';
import { UsageError } from '../../runtime/common/errors.js';

describe('--gpu', () => {
  it.each([
    ['RTX 4090', 'RTX 4090'],
    ['rtx-4090', 'RTX 4090'],
    ['rtx4090', 'RTX 4090'],
    ['4090', 'RTX 4090'],
    ['NVIDIA GeForce RTX 4090', 'RTX 4090'],
    ['NVIDIA GeForce RTX 4090 Laptop GPU', 'RTX 4090 Laptop'],
    ['4090 laptop', 'RTX 4090 Laptop'],
    ['RTX 4090 mobile', 'RTX 4090 Laptop'],
    ['3060ti', 'RTX 3060 Ti'],
    ['RTX 4070 Ti SUPER', 'RTX 4070 Ti SUPER'],
    ['4070tisuper', 'RTX 4070 Ti SUPER'],
    ['a100', 'A100 80GB SXM'],
    ['NVIDIA A100-SXM4-40GB', 'A100 40GB'],
    ['NVIDIA A100-PCIE-40GB', 'A100 40GB'],
    ['NVIDIA A100 80GB PCIe', 'A100 80GB PCIe'],
    ['NVIDIA A10G', 'A10G'],
    ['NVIDIA RTX A6000', 'RTX A6000'],
    ['A6000', 'RTX A6000'],
    ['NVIDIA RTX 6000 Ada Generation', 'RTX 6000 Ada'],
    ['NVIDIA RTX PRO 6000 Blackwell Workstation Edition', 'RTX PRO 6000 Blackwell'],
    ['NVIDIA RTX PRO 6000 Blackwell Server Edition', 'RTX PRO 6000 Blackwell Server'],
    ['NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition', 'RTX PRO 6000 Blackwell Max-Q'],
    ['3060 8GB', 'RTX 3060 8GB'],
    ['NVIDIA H100 80GB HBM3', 'H100 SXM'],
    ['NVIDIA H100 PCIe', 'H100 PCIe'],
    ['NVIDIA H100 NVL', 'H100 NVL'],
    ['h200', 'H200'],
    ['NVIDIA GH200 480GB', 'GH200'],
    ['NVIDIA B200', 'B200'],
    ['NVIDIA B300 SXM6 AC', 'B300'],
    ['NVIDIA GB10', 'DGX Spark'],
    ['spark', 'DGX Spark'],
    ['orin nano', 'Jetson Orin Nano 8GB'],
    ['agx orin', 'Jetson AGX Orin 64GB'],
    ['NVIDIA Thor', 'Jetson AGX Thor T5000'],
  ])('%s is the %s', (name, expected) => {
    expect(findGpu(name).name).toBe(expected);
  });

  it.each([
    ['RTX 4900', /not in the table; near it are .*RTX 4090/],
    ['h10', /near it are .*H20|H100/],
    ['GTX 1080', /not in the table/],
    ['laptop', /may be RTX 3050 Laptop, .*RTX 5090 Laptop/],
    ['', /not in the table/],
    ['NVIDIA', /not in the table/],
    ['__proto__', /not in the table/],
  ])('%j is none', (name, problem) => {
    expect(() => findGpu(name)).toThrow(UsageError);
    expect(() => findGpu(name)).toThrow(problem);
  });

  it('finds every part by its own names', () => {
    for (const { name, aliases } of GPUS)
      for (const other of [name, ...aliases, `NVIDIA ${name}`, name.toLowerCase(), name.replaceAll(' ', '-')])
        expect(findGpu(other).name, other).toBe(name);
    expect(new Set(GPUS.map(({ name }) => name)).size).toBe(GPUS.length);
  });
});

describe('the table', () => {
  it.each(GPUS.map((part) => [part.name, part] as const))('%s', (_, part) => {
    const arch = archFor(part.capability)!;
    expect(architecture(arch).capability).toBe(part.capability);
    expect(runsOn([arch], part.capability)).toBe(true);
    const target = cudaTarget([arch], part);
    expect(target).toMatchObject({ multiprocessors: part.multiprocessors, sharedBytes: part.sharedBytes });
    expect(part.multiprocessors).toBeLessThanOrEqual(192);
    expect(part.l2Bytes % 2 ** 18).toBe(0);
    // Bytes a cycle of one multiprocessor: all parts are of one order.
    expect(target.projection.cost.bytesPerCycle).toBeGreaterThan(1.5);
    expect(target.projection.cost.bytesPerCycle).toBeLessThan(40);
    expect(target.projection.l2PrefetchBytes * part.multiprocessors).toBeLessThanOrEqual(part.l2Bytes / 4);
    // A plan for it runs on every other part, and on slices: blocks that wait for each other fit there.
    const { blocks } = selectConfig(part.multiprocessors, 2 ** 20 - 1, target);
    expect(blocks).toBeLessThanOrEqual(architecture(arch).fewest);
  });

  it('has no part that is smaller than what its architecture counts on', () => {
    for (const { capability, multiprocessors, name } of GPUS)
      expect(multiprocessors, name).toBeGreaterThanOrEqual(architecture(archFor(capability)!).fewest);
  });

  it('has the largest part of every architecture', () => {
    for (const arch of ARCH_NAMES) expect(cudaTarget([arch]).multiprocessors).toBeGreaterThanOrEqual(16);
    expect(cudaTarget(['sm_88']).sharedBytes).toBe(99 * 1024);
    expect(sharedOf('8.8')).toBe(100);
  });
});

describe('what is planned of an H100 and an H200', () => {
  it('is what was measured on both', () => {
    const { gpu: _, ...h100 } = cudaTarget(['sm_90a']);
    for (const name of ['H100 SXM', 'H200', 'GH200']) {
      const { gpu: __, ...planned } = cudaTarget(['sm_90a'], findGpu(name));
      expect(planned).toEqual(h100);
    }
    expect(h100.projection.cost.bytesPerCycle).toBe(13.4);
    expect(h100.projection.l2PrefetchBytes).toBe(36864);
    expect(cudaTarget(['sm_90a'], findGpu('H100 PCIe')).projection.cost.bytesPerCycle).toBeLessThan(13.4);
  });
});

describe('toolkit and driver', () => {
  const cuda = (toolkit: string) => ({ nvcc: '/opt/nvcc', arguments: [], toolkit });
  it('too old for an architecture, or for everything', () => {
    expect(() => requireToolkit(cuda('12.4'), ['sm_80', 'sm_120'])).toThrow(
      'sm_120 needs CUDA 12.8 or newer, and /opt/nvcc is of CUDA 12.4: install a newer CUDA toolkit',
    );
    expect(() => requireToolkit(cuda('12.8'), ['sm_103a'])).toThrow('sm_103a needs CUDA 12.9');
    expect(() => requireToolkit(cuda('12.9'), ['sm_110'])).toThrow('sm_110 needs CUDA 13.0');
    expect(() => requireToolkit(cuda('11.8'), ['sm_80'])).toThrow('12.3 or newer is needed');
    requireToolkit(cuda('13.0'), ARCH_NAMES);
    requireToolkit(cuda('12.10'), ['sm_121']);
  });

  it.each([
    ['12.4', ['sm_80'], '12.3'],
    ['12.8', ['sm_120'], '12.8'],
    ['12.9', ['sm_121', 'sm_120'], '12.8'],
    ['12.9', ['sm_103'], '12.9'],
    ['12.9', ['sm_80', 'sm_120'], '12.3'],
    ['13.0', ['sm_90a'], '13.0'],
    ['13.1', ['sm_110'], '13.0'],
  ])('CUDA %s, %j: a driver for %s', (toolkit, archs, driver) => {
    expect(leastDriver(toolkit, archs)).toBe(driver);
  });

  it('sm_75 lacks what the kernels use', () => {
    expect(() => cudaTarget(['sm_75'])).toThrow(/"sm_75" \(compute capability 7\.5 lacks .*cp\.async.* bf16/);
  });
});
