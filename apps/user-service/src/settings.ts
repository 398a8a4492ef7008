import { z } from 'zod';

/** What the operator of the user service can set, by environment variables. */
export const settings = z.object({
  DATABASE_URL: z
    .string()
    .default('file:.holdfast/users.db')
    .describe('Where the users are kept: file:<path>, relative to the working directory. All replicas share one file.'),
});
