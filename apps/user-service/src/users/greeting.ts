// #region demo
import { configKey } from '@holdfast/config';
import { z } from 'zod';

/** How users are greeted; an operator may change it while the service runs. */
export const greeting = configKey(
  'greeting',
  z.strictObject({
    template: z
      .string()
      .min(1)
      .max(200)
      .default('Hello, {name}')
      .describe('What GetUser answers, 1 to 200 characters; {name} stands for the user’s name.'),
  }),
);
// #endregion
