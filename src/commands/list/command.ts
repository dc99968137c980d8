import type { ProgramContext } from '../cli/context';
import { createCommand } from './options';

export const listCommand = ({ withTemporal }: ProgramContext) =>
  createCommand().action(async (options) => {
    const { list } = await import('./list.js');
    await withTemporal((context) => list(context, options));
  });
