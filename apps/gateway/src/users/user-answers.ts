import { z } from 'zod';

const name = z.string().describe('As the service keeps it.');
const servedBy = z.string().describe('Id of the instance that answered.');

/** The answer to `GET /users/:name`. */
export const foundUser = z.strictObject({
  name,
  message: z.string().describe('A greeting for the user.'), // demo
  servedBy,
});
export type FoundUser = z.infer<typeof foundUser>;

/** The answer to `POST /users`. */
export const createdUser = z.strictObject({ name, servedBy });
export type CreatedUser = z.infer<typeof createdUser>;

/** One of the answers to `GET /users`. */
export const listedUser = z.strictObject({ name });
export type ListedUser = z.infer<typeof listedUser>;
