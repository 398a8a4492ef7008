/** The call itself, with nothing around it. */
export const make = ({ call }) => ({ run: call });
